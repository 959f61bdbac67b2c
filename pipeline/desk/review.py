"""`python -m pipeline review …`: the review queue, and what reviewers do with it.

    review list [--reason R] [--limit N] [--json]
    review show ORDER
    review claim|approve|reject (ORDER … | --reason R) --reviewer NAME [--note TEXT] [--limit N]

The queue is read from ClickHouse, so it is as late as that is, a second or so; decisions go into the log, and count in
its order: who was faster has the order. To approve or reject claims the order first. Without orders, all of one reason
that nobody else has are taken, the most urgent first.
"""

from __future__ import annotations

import argparse
import json
import os
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from pipeline import topics
from pipeline.desk.clock import now_ms
from pipeline.desk.sending import Sender
from pipeline.domain.order_commands import NOTE_CHARACTERS_MAX, ClaimReview, DecideReview
from pipeline.errors import HoldfastError
from pipeline.settings import read_settings
from sinks.store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.settings import Settings

LISTED_MAX = 10_000
BULK_MAX = 500
"""Without `--limit`, so many orders at once."""
WIDTH_WITHOUT_TERMINAL = 200
COLUMNS = (
    *("order_id", "reason", "pool", "state", "rule_version", "evidence", "priority", "vip_level", "paid_minor"),
    *("reviewer", "age_seconds", "alarm"),
)
QUEUE = f"SELECT {', '.join(COLUMNS)} FROM review_queue LIMIT {LISTED_MAX}"  # noqa: S608  constants
FREE = ""


class Held(msgspec.Struct, frozen=True):
    """A row of the queue: an order, and one reason why it is held."""

    order_id: str
    reason: str
    pool: str
    state: str
    rule_version: str
    evidence: str
    priority: int
    vip_level: int
    paid_minor: int
    reviewer: str
    age_seconds: int
    alarm: str


def main(arguments: list[str]) -> int:
    """Run one of the commands. Gives 0; 1 where there is nothing to show or to decide."""
    options = _read_arguments(arguments)
    settings = read_settings(os.environ, needs=("clickhouse",))
    queue = [held for held in read_queue(settings) if not options.reason or held.reason == options.reason]
    if options.command == "list":
        _show(queue[: options.limit], as_json=options.json)
        return 0
    if options.command == "show":
        found = [held for held in queue if held.order_id == options.order[0]]
        _show(found, as_json=options.json)
        return 0 if found else 1
    chosen = choose(queue, options.order, options.reviewer, options.limit)
    if len(options.note) > NOTE_CHARACTERS_MAX:
        message = f"--note: {len(options.note)} characters, {NOTE_CHARACTERS_MAX} are the most"
        raise HoldfastError(message)
    decide(read_settings(os.environ, needs=("kafka",)), chosen, options)
    orders = len({held.order_id for held in chosen})
    print(f"{options.command}: {orders} orders, {len(chosen)} holds are in the log")
    return 0 if chosen else 1


def read_queue(settings: Settings) -> list[Held]:
    """Read the queue, the most urgent first. Raises HoldfastError."""
    store = open_store(settings.clickhouse)
    try:
        return [Held(*row) for row in store.query(QUEUE)]
    finally:
        store.close()


def choose(queue: Sequence[Held], orders: Sequence[str], reviewer: str, limit: int) -> list[Held]:
    """Choose what to decide: the orders that are named, or all that nobody else has. Raises HoldfastError."""
    known = {held.order_id for held in queue}
    for order in orders:
        if order not in known:
            message = f"order {order}: nothing holds it for review (or not for this reason, or it is not stored yet)"
            raise HoldfastError(message)
    if orders:
        return [held for held in queue if held.order_id in orders]
    free = [held for held in queue if held.reviewer in {FREE, reviewer}]
    kept = list(dict.fromkeys(held.order_id for held in free))[:limit]
    return [held for held in free if held.order_id in kept]


def decide(settings: Settings, chosen: Sequence[Held], options: argparse.Namespace) -> None:
    """Append the commands, order by order: a claim, and what is decided. Raises HoldfastError."""
    with Sender(settings) as sender:
        for order_id, group in groupby(sorted(chosen, key=attrgetter("order_id")), key=attrgetter("order_id")):
            pool = next(group).pool
            about = {"pool": pool, "order_id": order_id, "reason": options.reason, "reviewer": options.reviewer}
            at = now_ms()
            sender.send(topics.ORDER_COMMANDS, pool, [ClaimReview(at=at, **about)])
            if options.command != "claim":
                approve = options.command == "approve"
                sender.send(
                    topics.ORDER_COMMANDS, pool, [DecideReview(at=at, approve=approve, note=options.note, **about)]
                )


def _show(queue: Sequence[Held], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(msgspec.to_builtins(queue), ensure_ascii=False))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_WITHOUT_TERMINAL)
    table = Table("order", "reason", "age", "alarm", "state", "who", "VIP", "paid", "rule", "evidence")
    for held in queue:
        minutes, seconds = divmod(held.age_seconds, 60)
        table.add_row(
            held.order_id,
            held.reason,
            f"{minutes}:{seconds:02}",
            held.alarm,
            held.state,
            held.reviewer,
            str(held.vip_level),
            f"{held.paid_minor / 100:.2f}",
            held.rule_version,
            held.evidence,
        )
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline review", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("list", "show", "claim", "approve", "reject"))
    parser.add_argument("order", nargs="*", help="internal order ids")
    parser.add_argument("--reason", default="", help="only this reason")
    parser.add_argument("--reviewer", default="", help="who decides")
    parser.add_argument("--note", default="", help="why; kept in the events, so nothing personal")
    parser.add_argument("--limit", type=int, default=BULK_MAX)
    parser.add_argument("--json", action="store_true")
    return parser


def _read_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the arguments; a call that is wrong ends with status 2 and one line that names the argument."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.limit < 1:
        parser.error(f"--limit: must be above 0 (it is {options.limit})")
    if options.command == "show" and len(options.order) != 1:
        parser.error("show: wants one order")
    if options.command in {"claim", "approve", "reject"}:
        if not options.reviewer:
            parser.error(f"{options.command}: --reviewer says who decides")
        if not options.order and not options.reason:
            parser.error(f"{options.command}: wants orders, or a --reason for all of it")
    return options
