"""What reservation must do with holds later: parts that ship or do not, time that is over, other wishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loadtest.oracle.model.reservation_limits import FROZEN, HELD, NEVER, lock, tell_overdue
from loadtest.oracle.model.reservation_stock import (
    CANCELLING,
    EXPIRED,
    EXPIRES,
    FLASH,
    LEFT,
    POOL,
    PRIORITY,
    SHIP_TO,
    STOCK,
    SUB_POOL,
    UNITS,
    alarm,
    back_from_flash,
    balance,
    change,
    give_up,
    restock,
    serve,
    sums,
    waited_for,
    waiting_of,
)

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Answers, Command, Tables

EXPIRIES_MAX, THAWS_MAX = 5_000, 1_000


def _is_open(hold: list[Any] | None, command: Command) -> bool:
    """Say whether a part of a hold that routing has was never settled."""
    part = _part(command)
    return hold is not None and hold[0] in {HELD, CANCELLING} and part not in hold[2] and part not in hold[3]


def _are_there(hold: list[Any], command: Command) -> bool:
    """Say whether a part's units are still to be taken out of its hold."""
    left = sums(hold[1])
    return all(count <= left.get(sku, 0) for sku, count in sums(command["units"]).items())


def _part(command: Command) -> str:
    part: str = command["fulfilment_id"]
    return part.removeprefix(command["order_id"])


def settle(tables: Tables, command: Command, answers: Answers) -> None:
    """Take a part out of its hold: it shipped, or its units are free again."""
    order_id, units, part, pool = command["order_id"], command["units"], _part(command), command["pool"]
    hold = tables["holds"].get(order_id)
    if hold is None or not _is_open(hold, command) or not _are_there(hold, command):
        answers.tell("HoldRepeated", order_id)
        if hold is not None and (_is_open(hold, command) or part in hold[3]):
            _settle_unheld(tables, command, answers, is_open=_is_open(hold, command))
        return
    state, open_units, consumed, released, *limits = hold
    left = sums(open_units)
    for sku, count in units:
        left[sku] = left.get(sku, 0) - count
    limits = limits if any(left.values()) else NEVER
    still = [[sku, count] for sku, count in left.items() if count]
    is_apart = order_id in tables["holds_apart"]
    if not still:
        tables["holds_apart"].pop(order_id, None)
    ships = command["command"] == "ConsumeHold"
    answers.ask("SettleAllocation", command["fulfilment_id"], units if ships else ())
    change(tables, (pool, FLASH if is_apart else STOCK), units, -1 if ships else 0, -1)
    if ships:
        answers.tell("HoldConsumed", order_id, "consumed")
        tables["holds"][order_id] = [state, still, [*consumed, part], released, *limits]
        return
    answers.tell("HoldReleased", order_id, "released")
    if state == CANCELLING and not consumed and not still:
        answers.tell("OrderCancelled", order_id, "cancelled")
        answers.ask("ConfirmCancel", order_id)
    tables["holds"][order_id] = [state, still, consumed, [*released, part], *limits]
    freed = [f"{pool}|{sku}" for sku, _ in units]
    serve(tables, answers, (), back_from_flash(tables, answers, pool, units) if is_apart else freed)


def _settle_unheld(tables: Tables, command: Command, answers: Answers, *, is_open: bool) -> None:
    """Take the units of a parcel that left, and whose hold was released or used up, off what is free; once."""
    pool, part, units = command["pool"], command["fulfilment_id"], command["units"]
    if command["command"] == "ReleaseHold":
        if is_open:
            answers.ask("SettleAllocation", part)
        return
    if f"{pool}|shipped|{part}" in tables["feeds"]:
        return
    tables["feeds"][f"{pool}|shipped|{part}"] = command["at"]
    balances = [(balance(tables, pool, STOCK, sku), count) for sku, count in units]
    if not command.get("warehouse") or any(on_hand - held < count for (on_hand, held), count in balances):
        answers.tell("StockFeedRefused", command["order_id"])
        answers.ask("SettleAllocation", part)
        return
    for sku, count in units:
        answers.tell("StockAdjusted", command["order_id"])
        change(tables, (pool, STOCK), [[sku, count]], -1, 0)
    answers.ask("SettleAllocation", part, units)
    restock(tables, command, [sku for sku, _ in units])


def expedite(tables: Tables, command: Command, answers: Answers) -> None:
    """Give an order another priority: here while it is not routed, else in routing."""
    order_id = command["order_id"]
    hold, pending = tables["holds"].get(order_id), tables["pending_holds"].get(order_id)
    if hold is None or (pending is None and not hold[1]):
        answers.tell("HoldRepeated", order_id)
        return
    answers.tell("HoldExpedited", order_id, hold[0])
    if pending is None:
        answers.ask("ExpediteRoute", order_id)
        return
    pending[PRIORITY] = command["priority"]
    for sku, _ in waiting_of(tables, order_id):
        one = tables["waits"][f"{order_id}|{sku}"]
        tables["waits"][f"{order_id}|{sku}"] = [*one[:2], command["priority"], *one[3:]]


def readdress(tables: Tables, command: Command, answers: Answers) -> None:
    """Send an order somewhere else: here while it is not routed, else in routing."""
    order_id = command["order_id"]
    hold, pending = tables["holds"].get(order_id), tables["pending_holds"].get(order_id)
    if hold is None or (pending is None and not hold[1]):
        answers.tell("HoldRepeated", order_id)
        return
    answers.tell("HoldReaddressed", order_id, hold[0])
    if pending is None:
        answers.ask("RedirectRoute", order_id)
    else:
        pending[SHIP_TO] = command["ship_to"]


def tick(tables: Tables, command: Command, answers: Answers) -> None:
    """Do what is due."""
    at, freed = command["at"], []
    tell_overdue(tables, answers, at)
    _thaw(tables, at, answers)
    due = sorted(
        (one[EXPIRES], order_id)
        for order_id, one in tables["pending_holds"].items()
        if one[EXPIRES] is not None and one[EXPIRES] <= at
    )
    to_flash: dict[str, int] = {}
    for _, order_id in due[:EXPIRIES_MAX]:
        pending, units = tables["pending_holds"][order_id], tables["holds"][order_id][1]
        answers.tell("HoldExpired", order_id, EXPIRED)
        freed += give_up(tables, order_id, units, waiting_of(tables, order_id))
        tables["holds"][order_id] = [EXPIRED, [], [], [], *NEVER]
        pending[EXPIRES] = None
        for sku, count in units if pending[SUB_POOL] == FLASH else ():
            to_flash[f"{pending[POOL]}|{sku}"] = to_flash.get(f"{pending[POOL]}|{sku}", 0) + count
    over = sorted((one[2], key) for key, one in tables["flashes"].items() if one[2] <= at)
    for _, key in over:
        freed.append(_close(tables, answers, key))
        to_flash.pop(key, None)
    for key, count in to_flash.items():
        pool, _, sku = key.partition("|")
        freed += back_from_flash(tables, answers, pool, [[sku, count]])
    serve(tables, answers, waited_for(tables, is_presale=True), [*freed, *waited_for(tables, is_presale=False)])


def _thaw(tables: Tables, at: int, answers: Answers) -> None:
    """Let frozen orders go on whose SKUs are at their levels; a thousand are looked at."""
    names = sorted(key for key in tables["pending_holds"] if tables["holds"][key][0] == FROZEN)
    begin = at // 1000 * THAWS_MAX % len(names) if len(names) > THAWS_MAX else 0
    for order_id in (names[begin:] + names[:begin])[:THAWS_MAX]:
        pending = tables["pending_holds"][order_id]
        low = (event for event, _ in alarm(tables, at, pending[POOL], pending[UNITS], []) if event == "low")
        if not pending[LEFT] and not any(low):
            answers.tell("HoldConfirmed", order_id, HELD)
            answers.ask("RouteOrder", order_id, pending[UNITS])
            lock(tables, tables["holds"][order_id], at)
            del tables["pending_holds"][order_id]


def _close(tables: Tables, answers: Answers, key: str) -> str:
    """End a flash sale: what nobody holds is in stock again."""
    pool, _, sku = key.partition("|")
    answers.tell("FlashClosed")
    on_hand, held = balance(tables, pool, FLASH, sku)
    change(tables, (pool, FLASH), [[sku, on_hand - held]], -1, 0)
    change(tables, (pool, STOCK), [[sku, on_hand - held]], 1, 0)
    del tables["flashes"][key]
    for one in [one for one in tables["flash_buyers"] if one.rpartition("|")[0] == key]:
        del tables["flash_buyers"][one]
    return key
