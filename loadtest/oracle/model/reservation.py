"""What reservation must do with orders. A hold: [state, units held, consumed parts, released parts, paid at, alarm at].

A part is what its fulfilment id has behind the order's id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loadtest.oracle.model import policy, reservation_feeds, reservation_later
from loadtest.oracle.model.reservation_asking import expand, find, given, limited
from loadtest.oracle.model.reservation_limits import FROZEN, HELD, NEVER, WAITING, begin, lock
from loadtest.oracle.model.reservation_stock import (
    CANCELLING,
    EXPIRED,
    EXPIRES,
    FLASH,
    GATE,
    LEFT,
    POOL,
    REFUSED,
    STOCK,
    SUB_POOL,
    TENTATIVE,
    TRIMS,
    UNITS,
    VALUES,
    Units,
    alarm,
    back_from_flash,
    change,
    give_up,
    pairs,
    sell,
    serve,
    sums,
    wait,
    waiting_of,
)

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Answers, Command, Tables

TABLES = (
    *("stock", "holds", "feeds", "networks", "sub_stock", "in_transit", "inbounds", "flashes", "bundles"),
    *("safety_levels", "pending_holds", "waits", "holds_apart", "flash_buyers", "stock_policies"),
)
UNROUTED = (TENTATIVE, WAITING, FROZEN)
TRIMS_MAX = 16


def fold(tables: Tables, command: Command, answers: Answers) -> None:
    """Answer a command, and move the tables."""
    folds = {
        "PlaceHold": _place,
        "ConfirmHold": _confirm,
        "DecideHold": _decide,
        "CancelHold": _cancel,
        "TrimHold": _trim,
        "ExpediteHold": reservation_later.expedite,
        "ReplaceAddress": reservation_later.readdress,
        "ConsumeHold": reservation_later.settle,
        "ReleaseHold": reservation_later.settle,
        "Tick": reservation_later.tick,
        "SetOrderPolicy": _set_policy,
    }
    answers.at = command["at"]
    folds.get(command["command"], reservation_feeds.fold)(tables, command, answers)


def _set_policy(tables: Tables, command: Command, answers: Answers) -> None:
    policy.take(tables["stock_policies"], command, answers)


def _place(tables: Tables, command: Command, answers: Answers) -> None:
    order_id, pool = command["order_id"], command["pool"]
    if order_id in tables["holds"]:
        answers.tell("HoldRepeated", order_id)
        return
    units, expires_at = expand(tables, pool, command["units"]), command.get("expires_at")
    sub_pool, may_split = command.get("sub_pool", STOCK), command.get("may_split", False)
    pending = [pool, units, command["ship_to"], sub_pool, may_split, command.get("priority", 0), command["at"]]
    values = command.get("values_minor", []) if units == command["units"] else []
    pending = [*pending, expires_at, 0, [], command.get("stock_gate", ""), values, command.get("paid_minor", 0)]
    bought = limited(tables, pool, units) if sub_pool == FLASH else []
    found = None
    if all(count + given(tables, command, sku) <= most for sku, count, most in bought):
        found = find(tables, command["at"], pending)
    if found is None or not found[2]:
        answers.tell("HoldRefused", order_id, REFUSED)
        tables["holds"][order_id] = [REFUSED, [], [], [], *NEVER]
        if found is not None:
            answers.ask("RequestReview", order_id)
        return
    for sku, count, _ in bought:
        tables["flash_buyers"][f"{pool}|{sku}|{command.get('buyer', '')}"] = given(tables, command, sku) + count
    tables["pending_holds"][order_id] = pending
    _hold(tables, command, answers, found, "HoldPlaced")


def _hold(tables: Tables, command: Command, answers: Answers, found: tuple[Units, Units, bool], event: str) -> None:
    """Hold what was found, queue for the rest, and see where the order goes."""
    order_id = command["order_id"]
    pending = tables["pending_holds"][order_id]
    now, waiting, _ = found
    told: list[tuple[str, str]] = []
    if event == "HoldPlaced" and pending[EXPIRES] is not None:
        state = TENTATIVE
    else:
        state, told = _goes_to(tables, command, pending, now, bool(waiting))
    answers.tell(event, order_id, state)
    paid_at = command.get("paid_at", 0) or command["at"]
    limits = NEVER if state == TENTATIVE else begin(tables, state, paid_at, command["at"])
    tables["holds"][order_id] = [state, now, [], [], *limits]
    change(tables, (pending[POOL], FLASH if pending[SUB_POOL] == FLASH else STOCK), now, 0, 1)
    if pending[SUB_POOL] == FLASH:
        tables["holds_apart"][order_id] = FLASH
    wait(tables, order_id, waiting)
    if state != TENTATIVE:
        sell(tables, command, pending[POOL], pending[UNITS])
        _go(tables, command, answers, state, told)


def _goes_to(
    tables: Tables,
    command: Command,
    pending: list[Any],
    taken: Units,
    waits: bool,  # noqa: FBT001
) -> tuple[str, list[tuple[str, str]]]:
    """Give the state of an order that is paid, and the alarms that it sets off."""
    told = []
    if pending[SUB_POOL] == STOCK:
        told = list(alarm(tables, command["at"], pending[POOL], pending[UNITS], taken))
    if pending[GATE] and any(event == "low" for event, _ in told):
        return FROZEN, told
    return (WAITING if waits else HELD), told


def _go(tables: Tables, command: Command, answers: Answers, state: str, told: list[tuple[str, str]]) -> None:
    """Raise the alarms, and go on."""
    order_id = command["order_id"]
    pending = tables["pending_holds"][order_id]
    for event, sku in told:
        if event == "low":
            continue
        answers.tell(event)
        level = tables["safety_levels"][f"{pending[POOL]}|{sku}"]
        if event == "HotSeller":
            level[5] = command["at"] // 86_400_000
        else:
            level[4] = True
    pending[EXPIRES] = None
    if state == FROZEN:
        answers.ask("RequestReview", order_id)
    elif state == HELD:
        answers.ask("RouteOrder", order_id, pending[UNITS])
        del tables["pending_holds"][order_id]


# --- what becomes of it ---


def _confirm(tables: Tables, command: Command, answers: Answers) -> None:
    order_id = command["order_id"]
    hold, pending = tables["holds"].get(order_id), tables["pending_holds"].get(order_id)
    if hold is not None and hold[0] == REFUSED:
        answers.tell("RefundDue", order_id, "refund_due")
        tables["holds"][order_id] = ["refund_due", [], [], [], *NEVER]
    elif hold is None or pending is None or hold[0] not in {TENTATIVE, EXPIRED}:
        answers.tell("HoldRepeated", order_id)
    elif hold[0] == EXPIRED:
        found = find(tables, command["at"], pending)
        if found is None or not found[2]:
            answers.tell("RefundDue", order_id, "refund_due")
            tables["holds"][order_id] = ["refund_due", [], [], [], *NEVER]
            del tables["pending_holds"][order_id]
        else:
            _hold(tables, command, answers, found, "HoldRegained")
    else:
        state, told = _goes_to(tables, command, pending, [], pending[LEFT] > 0)
        answers.tell("HoldConfirmed", order_id, state)
        hold[0], hold[4:] = state, begin(tables, state, command["at"], command["at"])
        sell(tables, command, pending[POOL], pending[UNITS])
        _go(tables, command, answers, state, told)


def _decide(tables: Tables, command: Command, answers: Answers) -> None:
    """Take a reviewer's word on an order that is frozen."""
    order_id = command["order_id"]
    hold = tables["holds"].get(order_id)
    if hold is None or hold[0] != FROZEN:
        answers.tell("HoldRepeated", order_id)
        return
    answers.tell("HoldDecided", order_id, "released" if command["approve"] else "rejected")
    if not command["approve"]:
        _drop(tables, command, answers, hold, tables["pending_holds"][order_id])
        return
    if tables["pending_holds"][order_id][LEFT]:
        hold[0] = WAITING
    else:
        lock(tables, hold, command["at"])
    answers.tell("HoldConfirmed", order_id, hold[0])
    _go(tables, command, answers, hold[0], [])


def _cancel(tables: Tables, command: Command, answers: Answers) -> None:
    order_id = command["order_id"]
    hold, pending = tables["holds"].get(order_id), tables["pending_holds"].get(order_id)
    if hold is not None and pending is not None:
        _drop(tables, command, answers, hold, pending)
    elif hold is None or hold[0] != HELD or not hold[1]:
        answers.tell("HoldRepeated", order_id)
    else:
        answers.tell("CancelRequested", order_id, CANCELLING)
        answers.ask("CancelRoute", order_id)
        tables["holds"][order_id] = [CANCELLING, *hold[1:4], *NEVER]


def _drop(tables: Tables, command: Command, answers: Answers, hold: list[Any], pending: list[Any]) -> None:
    """Give up an order that is not routed."""
    order_id, units = command["order_id"], hold[1]
    answers.tell("HoldReleased", order_id, "released")
    if hold[0] in {WAITING, FROZEN}:
        answers.tell("OrderCancelled", order_id, "cancelled")
        answers.ask("ConfirmCancel", order_id)
    freed = give_up(tables, order_id, units, waiting_of(tables, order_id))
    tables["holds"][order_id] = ["released", [], [], [], *NEVER]
    del tables["pending_holds"][order_id]
    if pending[SUB_POOL] == FLASH:
        freed = back_from_flash(tables, answers, command["pool"], units)
    serve(tables, answers, (), freed)


def _trim(tables: Tables, command: Command, answers: Answers) -> None:
    order_id = command["order_id"]
    hold, pending = tables["holds"].get(order_id), tables["pending_holds"].get(order_id)
    cut = sums(expand(tables, command["pool"], command["units"]))
    if hold is None or pending is None or hold[0] not in UNROUTED:
        answers.tell("TrimRefused", order_id, "" if hold is None else hold[0])
        return
    if command.get("trim_id") and command["trim_id"] in pending[TRIMS]:
        answers.tell("HoldRepeated", order_id)
        return
    wanted = sums(pending[UNITS])
    fits = cut and all(0 < count <= wanted.get(sku, 0) for sku, count in cut.items())
    if not fits or cut == wanted or len(pending[TRIMS]) >= TRIMS_MAX:
        answers.tell("TrimRefused", order_id, hold[0])
        return
    waits = sums(waiting_of(tables, order_id))
    waiting = [[sku, min(count, waits[sku])] for sku, count in cut.items() if sku in waits]
    held = pairs({sku: count - sums(waiting).get(sku, 0) for sku, count in cut.items()})
    freed = give_up(tables, order_id, held, waiting)
    pending[UNITS] = pairs({sku: count - cut.get(sku, 0) for sku, count in wanted.items()})
    pending[VALUES] = []
    pending[TRIMS] = [*pending[TRIMS], command.get("trim_id", "")]
    if hold[0] == WAITING and not pending[LEFT]:
        lock(tables, hold, command["at"])
        answers.ask("RouteOrder", order_id, pending[UNITS])
        del tables["pending_holds"][order_id]
    answers.tell("HoldTrimmed", order_id, hold[0])
    if pending[SUB_POOL] == FLASH:
        freed = back_from_flash(tables, answers, command["pool"], held)
    serve(tables, answers, (), freed)
