"""What dedup must do. An order's entry: [standing, updated_at, paid, what it waits with]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Answers, Command, Tables

TABLES = ("orders", "receivers")
HOUR_MS = 3_600_000
REMEMBERED_MS = 6 * HOUR_MS
REMEMBERED_MAX = 32
WAITING, PARKED = "w", "p"
OVER = ("cancelled", "refund_due")
Seen = list[Any]


def fold(tables: Tables, command: Command, answers: Answers) -> None:
    """Answer a command, and move the tables."""
    name = command["command"]
    order_id = command["order"]["internal_order_id"] if name == "SubmitOrder" else command["order_id"]
    seen = tables["orders"].get(order_id)
    is_parked = seen is not None and seen[0] == "parked"
    if name == "SubmitOrder":
        if seen is None or is_parked:
            _create(tables, command, seen[3] if seen else [PARKED, None, None], answers)
        else:
            _show(tables, command, seen, answers)
    elif seen is None or is_parked:
        _park(tables, command, seen, answers)
    elif name == "PayOrder":
        _pay(tables, order_id, seen, answers)
    elif name == "CancelOrder":
        _cancel(tables, order_id, seen, answers)
    else:
        raise KeyError(name)


def units_of(order: Command) -> list[list[Any]]:
    """Sum an order's units by SKU, in the order of the SKUs."""
    units: dict[str, int] = {}
    for line in order["lines"]:
        if line["quantity"] > 0:
            units[line["sku"]] = units.get(line["sku"], 0) + line["quantity"]
    return [[sku, units[sku]] for sku in sorted(units)]


def _ship_to(order: Command) -> Command:
    names = ("province", "city", "district", "address_detail")
    return {"name": order["receiver_name"], "phone": order["receiver_phone"], **{name: order[name] for name in names}}


def _create(tables: Tables, command: Command, parked: list[Any], answers: Answers) -> None:
    order, at = command["order"], command["at"]
    order_id, orders = order["internal_order_id"], tables["orders"]
    units = units_of(order)
    answers.tell("OrderCreated", order_id, "await_pay")
    is_paid = order["status"] == "paid" or parked[1] is not None
    if order["status"] == "cancelled" or parked[2] is not None:
        answers.tell("OrderCancelled", order_id, "cancelled")
        if is_paid:
            answers.tell("RefundDue", order_id, "refund_due")
        orders[order_id] = ["refund_due" if is_paid else "cancelled", at, False, None]
        return
    doubtful = _is_doubtful(tables, command, units)
    _remember(tables, command, units)
    if is_paid:
        answers.tell("OrderPaid", order_id, "paid")
    if doubtful:
        answers.tell("OrderHeldForReview", order_id, "in_review")
        answers.ask("RequestReview", order_id)
        orders[order_id] = ["in_review", at, is_paid, None]
    elif is_paid:
        answers.ask("PlaceHold", order_id, units)
        orders[order_id] = ["paid", at, True, None]
    else:
        orders[order_id] = ["await_pay", at, False, [WAITING, units, _ship_to(order)]]


def _is_doubtful(tables: Tables, command: Command, units: list[list[Any]]) -> bool:
    """Say whether a person must look at a new order."""
    order = command["order"]
    receiver = order["receiver_key"]
    if not units or not (receiver or order["buyer_id"]):
        return True
    ours = {sku for sku, _ in units}
    known = tables["receivers"].get(f"{command['pool']}|{receiver}", [[]]) if receiver else [[]]
    return any(
        abs(order["created_at"] - created_at) <= HOUR_MS
        and not ours.isdisjoint(skus.split("\n"))
        and tables["orders"][other][0] not in OVER
        for created_at, other, skus in known[0]
    )


def _remember(tables: Tables, command: Command, units: list[list[Any]]) -> None:
    """Remember a receiver's order; of his others, those of six hours before the newest."""
    order = command["order"]
    if not order["receiver_key"]:
        return
    key = f"{command['pool']}|{order['receiver_key']}"
    ours = [order["created_at"], order["internal_order_id"], "\n".join([sku for sku, _ in units])]
    recent = sorted([*tables["receivers"].get(key, [[]])[0], ours], key=lambda one: (one[0], one[1]))
    since = recent[-1][0] - REMEMBERED_MS
    tables["receivers"][key] = [[one for one in recent if one[0] >= since][-REMEMBERED_MAX:]]


def _show(tables: Tables, command: Command, seen: Seen, answers: Answers) -> None:
    """Take what a known order shows, unless it is older than what is known."""
    order = command["order"]
    order_id = order["internal_order_id"]
    if command["at"] >= seen[1]:
        if order["status"] == "cancelled" and seen[0] in {"await_pay", "in_review", "paid"}:
            _cancel(tables, order_id, seen, answers)
            return
        if order["status"] == "paid" and not seen[2]:
            _show_paid(tables, order, seen, answers)
            return
    answers.tell("OrderRepeated", order_id, seen[0])


def _show_paid(tables: Tables, order: Command, seen: Seen, answers: Answers) -> None:
    order_id, units = order["internal_order_id"], units_of(order)
    if seen[0] == "await_pay" and not units:
        answers.tell("OrderPaid", order_id, "paid")
        answers.tell("OrderHeldForReview", order_id, "in_review")
        answers.ask("RequestReview", order_id)
        tables["orders"][order_id] = ["in_review", seen[1], True, None]
        return
    _pay(tables, order_id, [*seen[:3], [WAITING, units, None]], answers)


def _pay(tables: Tables, order_id: str, seen: Seen, answers: Answers) -> None:
    standing, updated_at, paid, rest = seen
    if paid or standing == "refund_due":
        answers.tell("OrderRepeated", order_id, standing)
    elif standing == "cancelled":
        answers.tell("RefundDue", order_id, "refund_due")
        tables["orders"][order_id] = ["refund_due", updated_at, False, None]
    elif standing == "in_review":
        answers.tell("OrderPaid", order_id, "in_review")
        tables["orders"][order_id] = ["in_review", updated_at, True, None]
    else:
        answers.tell("OrderPaid", order_id, "paid")
        answers.ask("PlaceHold", order_id, rest[1])
        tables["orders"][order_id] = ["paid", updated_at, True, None]


def _cancel(tables: Tables, order_id: str, seen: Seen, answers: Answers) -> None:
    standing, updated_at, paid, _ = seen
    if standing == "paid":
        answers.tell("CancelRequested", order_id, "cancel_requested")
        answers.ask("CancelHold", order_id)
        tables["orders"][order_id] = ["cancel_requested", updated_at, paid, None]
    elif standing in {"await_pay", "in_review"}:
        answers.tell("OrderCancelled", order_id, "cancelled")
        tables["orders"][order_id] = ["cancelled", updated_at, paid, None]
    else:
        answers.tell("OrderRepeated", order_id, standing)


def _park(tables: Tables, command: Command, seen: Seen | None, answers: Answers) -> None:
    """Remember what was said of an order that is not there yet."""
    order_id = command["order_id"]
    _, paid_minor, reason = seen[3] if seen else [PARKED, None, None]
    if command["command"] == "PayOrder" and paid_minor is None:
        paid_minor = command["paid_minor"]
    elif command["command"] == "CancelOrder" and reason is None:
        reason = command["reason"]
    else:
        answers.tell("OrderRepeated", order_id, "parked")
        return
    answers.tell("OrderParked", order_id, "parked")
    tables["orders"][order_id] = ["parked", 0, False, [PARKED, paid_minor, reason]]
