"""`python -m pipeline refunds …`: the refunds, and what finance does with them.

    refunds list [--state review|approved|rejected|refunded] [--limit N] [--json]
    refunds compare [--json]                                      what came of them by policy, half A or B, and tier
    refunds approve|reject ORDER REFUND --approver NAME [--note WHY]
    refunds confirm ORDER [REFUND] --approver NAME [--note WHY]   the money is back; without REFUND of a cancelled one

Small refunds need nobody, those of VIPs up to a higher amount; above that two people must agree, and one may reject.
They are read from ClickHouse, so it is as late as that; what is decided goes into the log, and counts in its order.
"""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline import topics
from pipeline.desk.checking import make
from pipeline.desk.clock import now_ms
from pipeline.desk.sending import Sender
from pipeline.desk.showing import show_table
from pipeline.domain.order_commands import ConfirmRefund, DecideRefund
from pipeline.errors import HoldfastError
from pipeline.settings import read_settings
from sinks.store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.settings import Settings

LISTED = 500
COLUMNS = (
    *("order_id", "refund_id", "amount_minor", "tier", "policy", "variant", "state", "was_late"),
    *("approvers", "decisions"),
)
REFUNDS = f"SELECT {', '.join(COLUMNS)}, toString(due_at) FROM refunds"  # noqa: S608  constants
POOLS = "SELECT order_id, toString(pool) FROM orders WHERE order_id IN (SELECT order_id FROM refunds)"
COMPARED = (
    *("policy", "variant", "tier", "refunds", "amount_minor_total", "in_review", "approved", "rejected", "refunded"),
    *("late", "p50_seconds"),
)
COMPARISON = f"SELECT {', '.join(COMPARED)} FROM refunds_compared"  # noqa: S608  constants
STATES = ("review", "approved", "rejected", "refunded")
NEEDED = {"approve": "review", "reject": "review", "confirm": "approved"}
"""Where a refund must stand for what is done with it."""


class Refund(msgspec.Struct, frozen=True):
    """A row of the view; amounts in minor units, `due_at` as text (UTC)."""

    order_id: str
    refund_id: str
    amount_minor: int
    tier: str
    policy: str
    variant: str
    state: str
    was_late: int
    approvers: list[str]
    decisions: list[str]
    due_at: str


def main(arguments: list[str]) -> int:
    """Run one of the commands. Gives 0; whatever is wrong is a HoldfastError."""
    asked = _read_arguments(arguments)
    settings = read_settings(os.environ, needs=("clickhouse",))
    if asked.command == "compare":
        rows = [tuple(row) for row in _query(settings, COMPARISON)]
        _print(rows, COMPARED, [dict(zip(COMPARED, row, strict=True)) for row in rows], as_json=asked.json)
    elif asked.command == "list":
        found = [one for one in read_refunds(settings) if asked.state in {"", one.state}][: asked.limit]
        _print([_row(one) for one in found], HEAD, msgspec.to_builtins(found), as_json=asked.json)
    else:
        chosen = choose(read_refunds(settings), asked)
        command = command_for(chosen, _pool_of(settings, chosen), asked)
        with Sender(read_settings(os.environ, needs=("kafka",))) as sender:
            sender.send(topics.ORDER_COMMANDS, command.pool, [command])
        print(f"{asked.command}: order {chosen.order_id}, refund {chosen.refund_id!r}: in the log")
    return 0


def read_refunds(settings: Settings) -> list[Refund]:
    """Read the refunds, the oldest first. Raises HoldfastError."""
    return [Refund(*row) for row in _query(settings, REFUNDS)]


def choose(refunds: Sequence[Refund], asked: argparse.Namespace) -> Refund:
    """Find the refund that is meant, and see that what is asked of it is possible. Raises HoldfastError."""
    of_order = [one for one in refunds if one.order_id == asked.order]
    found = next((one for one in of_order if one.refund_id == asked.refund), None)
    if found is None:
        known = ", ".join([one.refund_id or "(of the cancelled order)" for one in of_order])
        message = f"order {asked.order}: no refund {asked.refund!r}" + (
            f"; there are: {known}" if known else ", nor any other that is stored"
        )
        raise HoldfastError(message)
    name = f"order {found.order_id}: refund {found.refund_id!r}"
    if found.state != NEEDED[asked.command]:
        message = f"{name}: is {found.state}, and not {NEEDED[asked.command]}"
        raise HoldfastError(message)
    if asked.command == "approve" and asked.approver in found.approvers:
        message = f"{name}: --approver: {asked.approver} has agreed before; a second person must"
        raise HoldfastError(message)
    return found


def command_for(refund: Refund, pool: str, asked: argparse.Namespace) -> DecideRefund | ConfirmRefund:
    """Give the command. Raises HoldfastError, which names the option that is wrong."""
    about: dict[str, Any] = {"at": now_ms(), "pool": pool, "order_id": refund.order_id, "refund_id": refund.refund_id}
    if asked.command == "confirm":
        return make(ConfirmRefund, about | {"author": asked.approver, "note": asked.note}, "confirm")
    about |= {"approver": asked.approver, "approve": asked.command == "approve", "note": asked.note}
    return make(DecideRefund, about, asked.command)


def _pool_of(settings: Settings, refund: Refund) -> str:
    pools = dict(_query(settings, POOLS))
    if not pools.get(refund.order_id):
        message = f"order {refund.order_id}: its stock pool is not stored yet"
        raise HoldfastError(message)
    return str(pools[refund.order_id])


def _query(settings: Settings, question: str) -> list[tuple[Any, ...]]:
    store = open_store(settings.clickhouse)
    try:
        return store.query(question)
    finally:
        store.close()


HEAD = ("order", "refund", "amount", "tier", "policy", "state", "due (UTC)", "decisions")


def _row(one: Refund) -> tuple[str, ...]:
    late = " LATE" if one.was_late and one.state != "refunded" else ""
    policy = f"{one.policy}/{one.variant}" if one.policy else ""
    amount = f"{one.amount_minor / 100:.2f}"
    return (
        *(one.order_id, one.refund_id, amount, one.tier, policy, one.state + late, one.due_at[:19]),
        "\n".join(one.decisions),
    )


def _print(rows: Sequence[tuple[Any, ...]], head: Sequence[str], plain: object, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(plain, ensure_ascii=False))
    else:
        show_table(head, rows)


def _read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline refunds", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="command", required=True)
    named = {name: kinds.add_parser(name) for name in ("list", "compare", *NEEDED)}
    named["list"].add_argument("--state", default="", choices=("", *STATES), metavar="|".join(STATES))
    named["list"].add_argument("--limit", type=int, default=LISTED)
    for name in ("list", "compare"):
        named[name].add_argument("--json", action="store_true")
    for name in NEEDED:
        named[name].add_argument("order")
        named[name].add_argument("refund", nargs="?" if name == "confirm" else None, default="")
        named[name].add_argument("--approver", required=True, help="who says so")
        named[name].add_argument("--note", default="", help="why; kept in the events, so nothing personal")
    asked = parser.parse_args(arguments)
    if asked.command == "list" and asked.limit < 1:
        parser.error(f"--limit: must be above 0 (it is {asked.limit})")
    return asked
