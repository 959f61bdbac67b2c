"""What dedup must do. An order's entry is a list; `dedup_orders` names its places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from loadtest.oracle.model import policy, rules
from loadtest.oracle.model.dedup_asked import (
    address,
    end,
    expedite,
    repeat,
    show,
    trim,
    waits_of,
)
from loadtest.oracle.model.dedup_orders import (
    ORDER,
    PAID,
    PARKED,
    PRIORITY,
    RANKS,
    REST,
    SHIP_TO,
    STANDING,
    UNITS,
    WAITING,
    Desk,
    Entry,
    address_of,
    goods_of,
    readdressed,
    remember,
    trimmed,
    units_of,
    waiting,
)
from loadtest.oracle.model.dedup_refunds import ask_refund, confirm_refund, refund
from loadtest.oracle.model.dedup_reviews import Eyes, free_twins, go_on, owe
from loadtest.oracle.model.dedup_time import review, review_again, tick

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Answers, Command, Tables

TABLES = ("orders", "receivers", "reviews", "twins", "deadlines", "trims", "refunds", "policies", "rulebook", "clock")
NEWS = ("PayOrder", "CancelOrder", "ChangeAddress", "ExpediteOrder", "TrimOrder", "RequestRefund")
ASKS_MAX = 16


def fold(tables: Tables, command: Command, answers: Answers) -> None:
    """Answer a command, and move the tables."""
    name, desk = command["command"], Desk(tables, answers, command["at"], command.get("pool", ""))
    if name == "SubmitOrder":
        seen = tables["orders"].get(command["order"]["internal_order_id"])
        if seen is None or seen[STANDING] == "parked":
            _create(desk, command, seen[REST] if seen else [PARKED, None, None, []])
        else:
            show(desk, command)
    elif name in NEWS:
        seen = tables["orders"].get(command["order_id"])
        if seen is None or seen[STANDING] == "parked":
            _park(desk, command, seen)
        else:
            _hear(desk, command)
    elif name == "Tick":
        tick(desk)
    elif name in {"ClaimReview", "DecideReview", "ReviewAgain"}:
        (review_again if name == "ReviewAgain" else review)(desk, command)
    elif name == "DecideRefund":
        refund(desk, command)
    elif name == "ConfirmRefund":
        confirm_refund(desk, command)
    elif name == "ConfirmCancel":
        _confirm_cancel(desk, command["order_id"])
    else:
        _set(desk, command)


def _hear(desk: Desk, command: Command) -> None:
    order_id = command["order_id"]
    match command["command"]:
        case "PayOrder":
            _pay(desk, command)
        case "CancelOrder":
            end(desk, order_id)
        case "ChangeAddress":
            address(desk, command)
        case "ExpediteOrder":
            expedite(desk, command)
        case "TrimOrder":
            trim(desk, command)
        case _:
            refund(desk, command)


def _set(desk: Desk, command: Command) -> None:
    """Let other limits or rules hold."""
    if command["command"] == "SetOrderPolicy":
        policy.take(desk.tables["policies"], command, desk.answers)
        return
    if command["command"] != "SetRules":
        raise KeyError(command["command"])
    (before, document), version = desk.tables["rulebook"].get("active", (0, "")), command["version"]
    if version <= before:
        desk.answers.tell("RulesRepeated", "", str(before))
        return
    book = command["book"]
    if not rules.may_be_set(document, book, command["author"], command.get("approver", "")):
        desk.answers.tell("RulesRefused", "", str(before))
        return
    document = orjson.dumps({**book, "rates": dict(sorted(book.get("rates", {}).items()))}).decode()
    desk.tables["rulebook"]["active"] = [version, document]
    desk.answers.tell("RulesActivated", "", str(version))


def _create(desk: Desk, command: Command, parked: list[Any]) -> None:
    order, at = command["order"], desk.at
    order_id, answers = order["internal_order_id"], desk.answers
    answers.tell("OrderCreated", order_id, "await_pay")
    waits = waiting(command)
    for ask in parked[3]:
        waits = _apply(desk, waits, ask)
    vip = command["envelope"].get("vip_level", 0)
    sums = address_of(waits[SHIP_TO]), goods_of(waits[UNITS])
    entry: Entry = ["await_pay", at, False, None, RANKS[order["status"]], 0, 0, vip, *sums]
    desk.tables["orders"][order_id] = entry
    remember(desk, waits)
    pays = order["paid_minor"] if order["status"] == "paid" else parked[1]
    if order["status"] == "cancelled" or parked[2] is not None:
        answers.tell("OrderCancelled", order_id, "cancelled")
        entry[STANDING] = "cancelled"
        if pays is not None:
            owe(desk, order_id, pays)
        return
    go_on(desk, order_id, waits, Eyes(new=True, twins=True), pays)
    for ask in parked[3]:
        if ask["command"] == "RequestRefund":
            ask_refund(desk, ask, entry)


def _apply(desk: Desk, waits: Entry, ask: Command) -> Entry:
    """Apply what was asked of an order before it came."""
    order, order_id = waits[ORDER], waits[ORDER]["internal_order_id"]
    match ask["command"]:
        case "ChangeAddress" if ask["at"] >= order["updated_at"]:
            desk.answers.tell("OrderChanged", order_id)
            moved = readdressed(order, ask["ship_to"], ask.get("receiver_key", ""))
            return [*waits[:SHIP_TO], ask["ship_to"], moved, *waits[ORDER + 1 :]]
        case "ExpediteOrder":
            desk.answers.tell("OrderExpedited", order_id)
            return [*waits[:PRIORITY], ask["priority"], *waits[PRIORITY + 1 :]]
        case "TrimOrder":
            left, _, _ = trimmed(order, ask["units"])
            desk.answers.tell("OrderTrimmed", order_id)
            desk.tables["trims"][f"{order_id}|{ask['trim_id']}"] = desk.at
            return [WAITING, units_of(left), waits[SHIP_TO], left, *waits[ORDER + 1 :]]
        case _:
            return waits


def _pay(desk: Desk, command: Command) -> None:
    order_id, paid = command["order_id"], command["paid_minor"]
    entry = desk.order(order_id)
    waits = waits_of(entry)
    if entry[PAID] or entry[STANDING] == "refund_due":
        repeat(desk, order_id)
    elif not waits:
        owe(desk, order_id, paid)
    else:
        order = {**waits[ORDER], "status": "paid", "paid_minor": paid, "paid_at": desk.at}
        go_on(desk, order_id, [*waits[:ORDER], order, *waits[ORDER + 1 :]], Eyes(), paid)


def _confirm_cancel(desk: Desk, order_id: str) -> None:
    """Take note that what a cancelled order held is free again."""
    entry = desk.tables["orders"].get(order_id)
    if entry is None or entry[STANDING] not in {"cancel_requested", "paid"}:
        desk.answers.tell("OrderRepeated", order_id, entry[STANDING] if entry else "")
        return
    desk.answers.tell("CancelConfirmed", order_id, "cancelled")
    entry[STANDING] = "cancelled"
    owe(desk, order_id)
    free_twins(desk, order_id)


def _park(desk: Desk, command: Command, seen: Entry | None) -> None:
    """Remember what was said of an order that is not there yet."""
    order_id, name = command["order_id"], command["command"]
    _, paid_minor, reason, asks = seen[REST] if seen else [PARKED, None, None, []]
    if name == "PayOrder" and paid_minor is None:
        paid_minor = command["paid_minor"]
    elif name == "CancelOrder" and reason is None:
        reason = command["reason"]
    elif name in {"PayOrder", "CancelOrder"} or any(_is_same(command, ask) for ask in asks):
        desk.answers.tell("OrderRepeated", order_id, "parked")
        return
    elif len(asks) >= ASKS_MAX:
        desk.answers.tell("OrderChangeRefused", order_id)
        return
    else:
        asks = [*asks, command]
    desk.answers.tell("OrderParked", order_id, "parked")
    rest = [PARKED, paid_minor, reason, asks]
    desk.tables["orders"][order_id] = ["parked", 0, False, rest, 0, 0, 0, 0, 0, 0]


def _is_same(one: Command, other: Command) -> bool:
    names = {"TrimOrder": "trim_id", "RequestRefund": "refund_id"}
    name = names.get(one["command"])
    if name is None or one["command"] != other["command"]:
        return one == other
    return bool(one[name] == other[name])
