"""The independent check: folds the input with a model of its own, and compares what came out. Pure.

It shares no code with the peers: to it records are JSON, and an answer is a fact about an order id.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Units = tuple[tuple[str, int], ...]
FIRST = ("HoldPlaced", "HoldRefused")
ANSWERS = (*FIRST, "HoldRepeated")
EXAMPLES_MAX = 3


class Answer(NamedTuple):
    """What came out about an order. `units` are those held, sorted; none with other answers."""

    order_id: str
    event: str
    units: Units = ()


class Expected(NamedTuple):
    """What must come out: each order's first answer, how often each was asked for, and what there is of each SKU."""

    first: Mapping[str, Answer]
    asked: Mapping[str, int]
    pools: Mapping[str, str]
    on_hand: Mapping[tuple[str, str], int]

    @property
    def answers(self) -> int:
        """Count the answers."""
        return sum(self.asked.values())


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with what came out, counted; `examples` names the first of each kind."""

    doubled: int
    """Answers that came out more often than their order was asked for, and first answers beyond the first."""
    lost: int
    """Answers that did not come out."""
    wrong: int
    """Orders whose first answer is another than the input gives."""
    oversold: int
    """SKUs of which more is held for distinct orders than there is."""
    examples: list[str] = []

    @property
    def clean(self) -> bool:
        """Say whether nothing is wrong."""
        return not (self.doubled or self.lost or self.wrong or self.oversold)

    def __str__(self) -> str:
        """Say it in a few words."""
        counts = {name: getattr(self, name) for name in ("doubled", "lost", "wrong", "oversold")}
        return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "clean"


def expect(values: Iterable[bytes]) -> Expected:
    """Fold the input, each pool's records in their order."""
    first: dict[str, Answer] = {}
    pools: dict[str, str] = {}
    asked: Counter[str] = Counter()
    on_hand: Counter[tuple[str, str]] = Counter()
    held: Counter[tuple[str, str]] = Counter()
    for value in values:
        command = msgspec.json.decode(value)
        pool = command["pool"]
        if command["command"] == "ReceiveStock":
            for sku, units in command["units"]:
                on_hand[pool, sku] += units
        elif command["command"] == "PlaceHold":
            order_id, wanted = command["order_id"], command["units"]
            asked[order_id] += 1
            if order_id in first:
                continue
            pools[order_id] = pool
            fits = all(held[pool, sku] + units <= on_hand[pool, sku] for sku, units in wanted)
            first[order_id] = _answer(order_id, FIRST[0], wanted) if fits else Answer(order_id, FIRST[1])
            for sku, units in wanted if fits else ():
                held[pool, sku] += units
    return Expected(first, asked, pools, on_hand)


def read_answer(value: bytes) -> Answer | None:
    """Read an output record; None for an event about something else."""
    event = msgspec.json.decode(value)
    name = event.get("event")
    if name not in ANSWERS:
        return None
    return _answer(event["order_id"], name, event["units"] if name == FIRST[0] else ())


def _answer(order_id: str, event: str, units: Iterable[Any]) -> Answer:
    return Answer(order_id, event, tuple(sorted((sku, number) for sku, number in units)))


def judge(expected: Expected, answers: Iterable[Answer]) -> Verdict:
    """Compare all that came out with what must come out."""
    came: dict[str, list[Answer]] = {}
    for answer in answers:
        came.setdefault(answer.order_id, []).append(answer)
    counts: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}

    def note(kind: str, count: int, what: str) -> None:
        if count > 0:
            counts[kind] += count
            examples.setdefault(kind, []).append(what)

    for order_id in {**expected.first, **came}:
        of_order, asked = came.get(order_id, []), expected.asked.get(order_id, 0)
        firsts = [answer for answer in of_order if answer.event in FIRST]
        repeats = len(of_order) - len(firsts)
        told = f"order {order_id}: asked {asked} times, answered {[answer.event for answer in of_order]}"
        again, missing = max(0, repeats - max(0, asked - 1)), max(0, asked - 1 - repeats)
        note("doubled", max(0, len(firsts) - min(asked, 1)) + again, told)
        note("lost", max(0, min(asked, 1) - len(firsts)) + missing, told)
        wanted = expected.first.get(order_id)
        if wanted is not None and any(answer != wanted for answer in firsts):
            note("wrong", 1, f"{told}; the input gives {wanted.event} {wanted.units}")
    for (pool, sku), units in _held(expected, came).items():
        there = expected.on_hand.get((pool, sku), 0)
        note("oversold", int(units > there), f"{pool}, {sku}: {units} held of {there}")
    named = [f"{kind}: {what}" for kind, all_of_it in examples.items() for what in all_of_it[:EXAMPLES_MAX]]
    kinds = {kind: counts[kind] for kind in ("doubled", "lost", "wrong", "oversold")}
    return Verdict(**kinds, examples=named)


def _held(expected: Expected, came: Mapping[str, list[Answer]]) -> Counter[tuple[str, str]]:
    """Sum what is held for distinct orders: an answer that came out twice is doubled, and holds once."""
    held: Counter[tuple[str, str]] = Counter()
    for order_id, of_order in came.items():
        placed = next((answer for answer in of_order if answer.event == FIRST[0]), None)
        for sku, units in placed.units if placed else ():
            held[expected.pools.get(order_id, ""), sku] += units
    return held
