"""What reservation must do. A balance: [on hand, held]; a hold: [state, units left, consumed parts, released parts].

A part is what its fulfilment id has behind the order's id.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Answers, Command, Tables

TABLES = ("stock", "holds", "feeds", "networks")
WAREHOUSES_MAX = 64
HELD, REFUSED, CANCELLING = "locked", "refused", "cancelling"
Units = list[list[Any]]


def fold(tables: Tables, command: Command, answers: Answers) -> None:
    """Answer a command, and move the tables."""
    match command["command"]:
        case "PlaceHold":
            _place(tables, command, answers)
        case "ConsumeHold" | "ReleaseHold":
            _settle(tables, command, answers)
        case "CancelHold":
            _cancel(tables, command, answers)
        case "RegisterWarehouse" | "ReceiveStock" | "AdjustStock" as name:
            feed = f"{command['pool']}|{command['feed_id']}"
            if feed in tables["feeds"]:
                answers.tell("StockFeedRepeated")
                return
            tables["feeds"][feed] = command["at"]
            {"RegisterWarehouse": _register, "ReceiveStock": _receive, "AdjustStock": _adjust}[name](
                tables, command, answers
            )
        case name:
            raise KeyError(name)


def _change(tables: Tables, pool: str, units: Units, on_hand: int, held: int) -> None:
    stock = tables["stock"]
    for sku, count in units:
        before = stock.get(f"{pool}|{sku}", (0, 0))
        stock[f"{pool}|{sku}"] = [before[0] + on_hand * count, before[1] + held * count]


def _place(tables: Tables, command: Command, answers: Answers) -> None:
    order_id, pool, units = command["order_id"], command["pool"], command["units"]
    stock = tables["stock"]
    if order_id in tables["holds"]:
        answers.tell("HoldRepeated", order_id)
        return
    short = []
    for sku, count in units:
        on_hand, held = stock.get(f"{pool}|{sku}", (0, 0))
        if count > on_hand - held:
            short.append(sku)
    if not short:
        answers.tell("HoldPlaced", order_id, HELD)
        answers.ask("RouteOrder", order_id, units)
        tables["holds"][order_id] = [HELD, units, [], []]
        _change(tables, pool, units, 0, 1)
        return
    answers.tell("HoldRefused", order_id, REFUSED)
    tables["holds"][order_id] = [REFUSED, [], [], []]
    if any(f"{pool}|{sku}" not in stock for sku in short):
        answers.ask("RequestReview", order_id)


def _can_settle(hold: list[Any] | None, command: Command) -> bool:
    """Say whether a part's units are still to be taken out of its hold."""
    part = _part(command)
    if hold is None or hold[0] == REFUSED or part in hold[2] or part in hold[3]:
        return False
    left = {sku: count for sku, count in hold[1]}  # noqa: C416 - a pair is a list here
    return all(count <= left.get(sku, 0) for sku, count in _sums(command["units"]).items())


def _part(command: Command) -> str:
    part: str = command["fulfilment_id"]
    return part.removeprefix(command["order_id"])


def _sums(units: Units) -> Counter[str]:
    sums: Counter[str] = Counter()
    for sku, count in units:
        sums[sku] += count
    return sums


def _settle(tables: Tables, command: Command, answers: Answers) -> None:
    order_id, units, part = command["order_id"], command["units"], _part(command)
    hold = tables["holds"].get(order_id)
    if hold is None or not _can_settle(hold, command):
        answers.tell("HoldRepeated", order_id)
        return
    state, open_units, consumed, released = hold
    left = dict(map(tuple, open_units))
    for sku, count in units:
        left[sku] = left.get(sku, 0) - count
    still = [[sku, count] for sku, count in left.items() if count]
    answers.ask("SettleAllocation", command["fulfilment_id"])
    if command["command"] == "ConsumeHold":
        answers.tell("HoldConsumed", order_id, "consumed")
        tables["holds"][order_id] = [state, still, [*consumed, part], released]
        _change(tables, command["pool"], units, -1, -1)
        return
    answers.tell("HoldReleased", order_id, "released")
    if state == CANCELLING and not consumed and not still:
        answers.tell("OrderCancelled", order_id, "cancelled")
    tables["holds"][order_id] = [state, still, consumed, [*released, part]]
    _change(tables, command["pool"], units, 0, -1)


def _cancel(tables: Tables, command: Command, answers: Answers) -> None:
    order_id = command["order_id"]
    hold = tables["holds"].get(order_id)
    if hold is None or hold[0] != HELD or not hold[1]:
        answers.tell("HoldRepeated", order_id)
        return
    answers.tell("CancelRequested", order_id, CANCELLING)
    answers.ask("CancelRoute", order_id)
    tables["holds"][order_id] = [CANCELLING, *hold[1:]]


def _warehouses(tables: Tables, command: Command) -> list[str]:
    found: list[str] = tables["networks"].get(command["pool"], [[]])[0]
    return found


def _register(tables: Tables, command: Command, answers: Answers) -> None:
    known, warehouse = _warehouses(tables, command), command["warehouse"]
    if warehouse not in known and len(known) >= WAREHOUSES_MAX:
        answers.tell("StockFeedRefused")
        return
    answers.tell("WarehouseRegistered")
    answers.ask("OpenWarehouse", f"{command['pool']}|{warehouse}")
    if warehouse not in known:
        tables["networks"][command["pool"]] = [[*known, warehouse]]


def _receive(tables: Tables, command: Command, answers: Answers) -> None:
    units = command["units"]
    if command["warehouse"] not in _warehouses(tables, command) or min((n for _, n in units), default=0) <= 0:
        answers.tell("StockFeedRefused")
        return
    answers.tell("StockReceived")
    answers.ask("StockShelf", f"{command['pool']}|{command['warehouse']}", units)
    _change(tables, command["pool"], units, 1, 0)


def _adjust(tables: Tables, command: Command, answers: Answers) -> None:
    units = [[command["sku"], command["change_units"]]]
    on_hand, held = tables["stock"].get(f"{command['pool']}|{command['sku']}", (0, 0))
    if command["warehouse"] not in _warehouses(tables, command) or on_hand + command["change_units"] < held:
        answers.tell("StockFeedRefused")
        return
    answers.tell("StockAdjusted")
    answers.ask("StockShelf", f"{command['pool']}|{command['warehouse']}", units)
    _change(tables, command["pool"], units, 1, 0)
