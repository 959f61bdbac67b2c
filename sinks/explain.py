"""`python -m pipeline explain ORDER`: an order's whole story, from ClickHouse, with what caused each step."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

import msgspec
import orjson
from rich.console import Console
from rich.text import Text

from pipeline.domain.orders import internal_order_id
from pipeline.errors import HoldfastError
from pipeline.settings import read_settings
from sinks.places import Place, fold, read
from sinks.store import StoryLine, open_store
from sinks.telling import IDENTITY, tell, time_text

KEY_WORDS = 3
USAGE = "python -m pipeline explain (ORDER_ID | CHANNEL SHOP PLATFORM_ORDER_ID) [--json]"
WIDTH_WITHOUT_TERMINAL = 160
RAISES = frozenset(
    {
        *("OrderHeldForReview", "HoldRefused", "RouteFailed", "WaybillRefused", "RefundDue", "OrderCancelled"),
        *("OrderUnpaidTooLong", "ReviewOverdue", "RefundOverdue", "HoldOverdue", "ShipmentSilent"),
    }
)
"""What a reader looks for first."""


class UnknownOrderError(HoldfastError):
    """Nobody has ever seen this order, or it is not stored yet."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One event of an order: when it happened (ms UTC), where, what, why; `tells` says the rest in lines."""

    at: int
    stage: str
    event: str
    from_state: str
    to_state: str
    rule_version: str
    fulfilment_id: str
    cause: str
    tells: tuple[str, ...]
    facts: dict[str, Any]


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """An order: what names it, where it stands, and its events in the order in which they came about."""

    order_id: str
    names: dict[str, str]
    place: dict[str, str]
    steps: tuple[Step, ...]


def main(arguments: list[str]) -> int:
    """Tell an order's story. Gives 0; an unknown order, or a ClickHouse that does not answer, is a HoldfastError."""
    parser = argparse.ArgumentParser(prog="python -m pipeline explain", usage=USAGE, description=__doc__)
    parser.add_argument("order", nargs="+", help="the internal id, or channel, shop and the platform's order id")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    if len(asked.order) not in {1, KEY_WORDS}:
        parser.error("an order is one internal id, or channel, shop and the platform's order id")
    order_id = asked.order[0] if len(asked.order) == 1 else internal_order_id(*asked.order)
    store = open_store(read_settings(os.environ, needs=("clickhouse",)).clickhouse)
    try:
        story = story_of(order_id, store.story(order_id))
    finally:
        store.close()
    if asked.json:
        print(json.dumps(msgspec.to_builtins(story), ensure_ascii=False))
    else:
        _print(story)
    return 0


def story_of(order_id: str, lines: list[StoryLine]) -> Story:
    """Give an order's story of its events, in the order of the log. Raises UnknownOrderError without any.

    All events of an order are in one partition, and a stage answers only what is committed: so in the log a cause
    always comes before what follows from it.
    """
    if not lines:
        message = f"order {order_id}: not known; if it has just been submitted, it may not be stored yet"
        raise UnknownOrderError(message)
    names: dict[str, str] = {}
    place: Place = {}
    found: list[dict[str, Any]] = []
    for line in lines:
        facts = read(line.facts.encode())
        if facts is None:
            continue
        fold(place, facts, line.partition, line.offset)
        event = orjson.loads(line.facts)
        names |= {name: str(event[name]) for name in sorted(IDENTITY) if event.get(name)}
        found.append(event)
    steps = tuple(_step(event, names.get("currency", "")) for event in found)
    return Story(order_id=order_id, names=names, place=dict(sorted(place.items())), steps=steps)


def _step(event: dict[str, Any], currency: str) -> Step:
    return Step(
        at=event["at"],
        stage=event["stage"],
        event=event["event"],
        from_state=event.get("from", ""),
        to_state=event.get("to", ""),
        rule_version=event.get("rule_version") or "",
        fulfilment_id=event.get("fulfilment_id", ""),
        cause=event["cause"],
        tells=tuple(tell(event, currency)),
        facts=event,
    )


def _print(story: Story) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL)
    for text in as_text(story):
        console.print(text, soft_wrap=True)


def as_text(story: Story) -> list[Text]:
    """Give the story as lines; those of one cause stand together."""
    lines = [Text.assemble(("order ", "bold"), (story.order_id, "bold"))]
    lines += [Text(f"  {name.replace('_', ' ')}: {value}") for name, value in story.names.items()]
    lines += [Text(f"  {name}: {value}") for name, value in story.place.items() if name in {"state", "event"}]
    cause = ""
    for step in story.steps:
        if step.cause != cause:
            cause = step.cause
            lines += [Text(), Text.assemble((f"{time_text(step.at)}  {step.stage}", "bold"), (f"  by {cause}", "dim"))]
        moved = f"  {step.from_state} -> {step.to_state}" if step.from_state != step.to_state else f"  {step.to_state}"
        rule = f"  by rule {step.rule_version}" if step.rule_version else ""
        style = "bold red" if step.event in RAISES else "bold cyan"
        lines.append(Text.assemble("  ", (step.event, style), moved.rstrip(), (rule, "yellow")))
        lines += [Text(f"      {told}") for told in step.tells]
    return lines
