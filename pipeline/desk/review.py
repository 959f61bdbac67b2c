"""`python -m pipeline review …`: the review queue, and what reviewers do with it.

    review list [--reason R] [--rule RULE] [--limit N] [--json]
    review show ORDER [--json]
    review claim|approve|reject (ORDER … | --reason R | --rule RULE) --reviewer NAME [--note TEXT] [--limit N]
    review again (ORDER … | --reason R | --rule RULE | --all) --reviewer NAME [--dry-run]   after the rules have changed

The queue is read from ClickHouse, so it is as late as that is, a second or so; decisions go into the log, and count in
its order: who was faster has the order. To approve or reject claims the order first; an order that is frozen to protect
the stock (STOCK_PROTECTION) needs no claim. Without orders, all of one reason or rule that nobody else has are taken,
the most urgent first. `again` lets the rules in force look at orders once more: what they hold no more goes on.
"""

from __future__ import annotations

import argparse
import json
import os
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

from pipeline import topics
from pipeline.desk.checking import make
from pipeline.desk.clock import now_ms
from pipeline.desk.sending import Sender
from pipeline.desk.showing import show_table
from pipeline.domain.order_commands import NOTE_CHARACTERS_MAX, ClaimReview, DecideReview, ReviewAgain
from pipeline.domain.reasons import STOCK_PROTECTION
from pipeline.domain.stock_commands import DecideHold
from pipeline.errors import HoldfastError
from pipeline.settings import read_settings
from sinks.store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.settings import Settings

LISTED_MAX = 10_000
BULK_MAX = 500
"""Without `--limit`, so many orders at once."""
COLUMNS = (
    *(
        "order_id",
        "reason",
        "pool",
        "state",
        "rule_version",
        "rules",
        "evidence",
        "priority",
        "vip_level",
        "paid_minor",
    ),
    *("reviewer", "age_seconds", "alarm"),
)
QUEUE = f"SELECT {', '.join(COLUMNS)} FROM review_queue LIMIT {LISTED_MAX}"  # noqa: S608  constants
FREE = ""
BUILT_IN = "holdfast:"
"""What the ids of dedup's own reasons begin with."""


class Held(msgspec.Struct, frozen=True):
    """A row of the queue: an order, and one reason why it is held."""

    order_id: str
    reason: str
    pool: str
    state: str
    rule_version: str
    rules: list[str]
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
    queue = [held for held in read_queue(settings) if _is_meant(held, options)]
    if options.command == "list":
        _show(queue[: options.limit], as_json=options.json)
        return 0
    if options.command == "show":
        found = [held for held in queue if held.order_id == options.order[0]]
        _show(found, as_json=options.json)
        return 0 if found else 1
    if options.command == "again":
        chosen = held_by_rules(choose(queue, options.order, "", options.limit, anybodys=True))
        if not options.dry_run:
            look_again(read_settings(os.environ, needs=("kafka",)), chosen, options.reviewer)
    else:
        chosen = choose(queue, options.order, options.reviewer, options.limit)
        decide(read_settings(os.environ, needs=("kafka",)), chosen, options)
    orders = len({held.order_id for held in chosen})
    where = "would be looked at again" if options.dry_run else "are in the log"
    print(f"{options.command}: {orders} orders, {len(chosen)} holds {where}")
    return 0 if chosen else 1


def _is_meant(held: Held, options: argparse.Namespace) -> bool:
    return options.reason in {"", held.reason} and (not options.rule or options.rule in held.rules)


def read_queue(settings: Settings) -> list[Held]:
    """Read the queue, the most urgent first. Raises HoldfastError."""
    store = open_store(settings.clickhouse)
    try:
        return [Held(*row) for row in store.query(QUEUE)]
    finally:
        store.close()


def choose(
    queue: Sequence[Held], orders: Sequence[str], reviewer: str, limit: int, *, anybodys: bool = False
) -> list[Held]:
    """Choose what to decide: the orders that are named, or all that nobody else has. Raises HoldfastError."""
    known = {held.order_id for held in queue}
    for order in orders:
        if order not in known:
            message = f"order {order}: nothing holds it for review (or not for this reason, or it is not stored yet)"
            raise HoldfastError(message)
    if orders:
        return [held for held in queue if held.order_id in orders]
    free = [held for held in queue if anybodys or held.reviewer in {FREE, reviewer}]
    kept = set(list(dict.fromkeys(held.order_id for held in free))[:limit])
    return [held for held in free if held.order_id in kept]


def decide(settings: Settings, chosen: Sequence[Held], options: argparse.Namespace) -> None:
    """Append the commands, order by order: a claim, and what is decided. Raises HoldfastError."""
    approve = options.command == "approve"
    with Sender(settings) as sender:
        for order_id, group in groupby(sorted(chosen, key=attrgetter("order_id")), key=attrgetter("order_id")):
            reasons_of = list(group)
            pool, at = reasons_of[0].pool, now_ms()
            about = {"at": at, "pool": pool, "order_id": order_id, "reviewer": options.reviewer}
            word = {"approve": approve, "note": options.note}
            where = f"order {order_id}"
            for reason in _asked_for(reasons_of, options):
                sender.send(topics.ORDER_COMMANDS, pool, [make(ClaimReview, about | {"reason": reason}, where)])
                if options.command != "claim":
                    decision = make(DecideReview, about | word | {"reason": reason}, where)
                    sender.send(topics.ORDER_COMMANDS, pool, [decision])
            if options.command != "claim" and any(held.reason == STOCK_PROTECTION for held in reasons_of):
                sender.send(topics.STOCK_COMMANDS, pool, [make(DecideHold, about | word, where)])


def _asked_for(holds: Sequence[Held], options: argparse.Namespace) -> list[str]:
    """Give the reasons to claim of an order: one by one where only some are meant, else all at once."""
    theirs = [held.reason for held in holds if held.reason != STOCK_PROTECTION]
    return theirs if options.reason or options.rule or not theirs else [""]


def held_by_rules(queue: Sequence[Held]) -> list[Held]:
    """Give what a rule of the book holds, and not dedup itself or reservation."""
    return [
        held
        for held in queue
        if held.reason != STOCK_PROTECTION and not any(rule.startswith(BUILT_IN) for rule in held.rules)
    ]


def look_again(settings: Settings, chosen: Sequence[Held], reviewer: str) -> None:
    """Let the rules in force look at orders once more. Raises HoldfastError."""
    with Sender(settings) as sender:
        for order_id, pool in dict.fromkeys((held.order_id, held.pool) for held in chosen):
            fields = {"at": now_ms(), "pool": pool, "order_id": order_id, "reviewer": reviewer}
            sender.send(topics.ORDER_COMMANDS, pool, [make(ReviewAgain, fields, f"order {order_id}")])


def _show(queue: Sequence[Held], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(msgspec.to_builtins(queue), ensure_ascii=False))
        return
    rows = [
        (
            held.order_id,
            held.reason,
            f"{held.age_seconds // 60}:{held.age_seconds % 60:02}",
            held.alarm,
            held.state,
            held.reviewer,
            held.vip_level,
            f"{held.paid_minor / 100:.2f}",
            held.rule_version,
            held.evidence,
        )
        for held in queue
    ]
    show_table(("order", "reason", "age", "alarm", "state", "who", "VIP", "paid", "rule", "evidence"), rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline review", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("list", "show", "claim", "approve", "reject", "again"))
    parser.add_argument("order", nargs="*", help="internal order ids")
    parser.add_argument("--reason", default="", help="only this reason")
    parser.add_argument("--rule", default="", help="only what this rule holds, by its id")
    parser.add_argument("--all", action="store_true", help="again: all that rules hold")
    parser.add_argument("--dry-run", action="store_true", help="again: only say how many")
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
    if options.command in {"claim", "approve", "reject", "again"}:
        if not options.reviewer:
            parser.error(f"{options.command}: --reviewer says who decides")
        is_bulk = options.reason or options.rule or (options.all and options.command == "again")
        if not options.order and not is_bulk:
            parser.error(f"{options.command}: wants orders, or a --reason or a --rule for all of it")
    if len(options.note) > NOTE_CHARACTERS_MAX:
        parser.error(f"--note: {len(options.note)} characters, {NOTE_CHARACTERS_MAX} are the most")
    return options
