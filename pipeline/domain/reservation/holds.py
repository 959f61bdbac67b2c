"""Holds on their way to routing: tentative, waiting for goods, frozen to protect the stock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain import reasons
from pipeline.domain.commands import PlaceHold, RequestReview
from pipeline.domain.events import HoldPlaced, HoldRefused, HoldReleased, OrderCancelled, RefundDue
from pipeline.domain.notes import BuyerNoted, HoldNoted
from pipeline.domain.order_commands import ConfirmCancel
from pipeline.domain.orders import SubPool, fulfilment_id
from pipeline.domain.reservation.answers import Answer, Answers, repeated, route, waiting_of
from pipeline.domain.reservation.asking import Asked, Found, expand, find, limited
from pipeline.domain.reservation.balances import summed
from pipeline.domain.reservation.safeguards import QUIET, Alarm, look
from pipeline.domain.reservation.serving import serve_free
from pipeline.domain.reservation.ticks import from_flash
from pipeline.domain.reservation.values import UNROUTED, HoldState
from pipeline.domain.routing_commands import RouteOrder
from pipeline.domain.stock_events import HoldConfirmed, HoldDecided, HoldRegained

if TYPE_CHECKING:
    from pipeline.domain.commands import CancelHold, ConfirmHold, ReleaseHold
    from pipeline.domain.order_commands import TrimHold
    from pipeline.domain.orders import SkuUnits
    from pipeline.domain.reservation.state import State
    from pipeline.domain.reservation.values import Hold, Pending
    from pipeline.domain.stock_commands import DecideHold

    Freeing = CancelHold | DecideHold | ReleaseHold | TrimHold

SHORT_NAMED_MAX = 5
"""How many of the SKUs that were missing a refusal names."""


def place(state: State, command: PlaceHold) -> Answers:
    """Hold an order's units, or queue it for them, or refuse it, as it asks. Nobody asked for it before."""
    order_id, pool, at = command.order_id, command.pool, command.at
    units = expand(state, pool, command.units)
    # Nobody said what each part of a bundle is worth.
    values = command.values_minor if units is command.units else ()
    asked = Asked(pool, command.sub_pool, at, units, command.may_split, command.buyer)
    found = find(state, asked)
    if found.reason:
        return _refuse(command, found)
    bought = limited(state, asked)
    notes = (BuyerNoted(pool=pool, buyer=command.buyer, units=bought),) if bought else ()
    is_tentative = command.expires_at is not None
    alarm = QUIET if is_tentative else _alarm(state, asked, found, command.stock_gate)
    to_state = HoldState.TENTATIVE if is_tentative else _goes_to(alarm, waits=bool(found.waiting))
    placed = HoldPlaced(
        order_id=order_id,
        at=at,
        from_state="await_pay" if is_tentative else "paid",
        to_state=to_state,
        pool=pool,
        units=found.units,
        sub_pool=command.sub_pool,
        waiting=found.waiting,
        expires_at=command.expires_at,
        expanded=units is not command.units,
        paid_at=command.paid_at or None,
        rule_version=alarm.rule_version,
    )
    if to_state is HoldState.HELD:
        return *notes, placed, *alarm.events, _route_at_once(command, units, values)
    noted = _noted(command, units, values)
    return *notes, noted, placed, *alarm.events, *alarm.review(at, pool, order_id)


def _noted(command: PlaceHold, units: tuple[SkuUnits, ...], values_minor: tuple[int, ...]) -> HoldNoted:
    return HoldNoted(
        order_id=command.order_id,
        pool=command.pool,
        units=units,
        ship_to=command.ship_to,
        sub_pool=command.sub_pool,
        may_split=command.may_split,
        priority=command.priority,
        since=command.at,
        expires_at=command.expires_at,
        stock_gate=command.stock_gate,
        values_minor=values_minor,
        paid_minor=command.paid_minor,
    )


def _route_at_once(command: PlaceHold, units: tuple[SkuUnits, ...], values_minor: tuple[int, ...]) -> RouteOrder:
    return RouteOrder(
        at=command.at,
        pool=command.pool,
        order_id=command.order_id,
        units=units,
        ship_to=command.ship_to,
        priority=command.priority,
        values_minor=values_minor,
        paid_minor=command.paid_minor,
    )


def _refuse(command: PlaceHold, found: Found) -> Answers:
    order_id, pool, at, reason = command.order_id, command.pool, command.at, found.reason
    named = found.short[:SHORT_NAMED_MAX]
    refused = HoldRefused(order_id=order_id, at=at, pool=pool, reason=reason, short=named)
    if reason != reasons.UNKNOWN_SKU:
        return (refused,)
    evidence = f"the pool never had {', '.join([unit.sku for unit in named])}"
    return refused, RequestReview(at=at, pool=pool, order_id=order_id, reason=reason, evidence=evidence)


def _alarm(state: State, asked: Asked, found: Found, stock_gate: str) -> Alarm:
    """Look at what an order takes from free stock; `found` is what it takes with this answer."""
    if asked.sub_pool is not SubPool.STOCK:
        return QUIET
    alarm = look(state, asked.at, asked.pool, [unit.sku for unit in asked.units], summed(found.units))
    return alarm.behind(stock_gate)


def _goes_to(alarm: Alarm, *, waits: bool) -> HoldState:
    """Give where an order goes that nothing holds up but the stock."""
    if alarm.evidence:
        return HoldState.FROZEN
    return HoldState.WAITING if waits else HoldState.HELD


def confirm(state: State, command: ConfirmHold) -> Answers:
    """Let a paid order go on; when its hold has expired, try to hold it once more, else its money is due back.

    So is the money of an order that was refused before it was paid: a refused order stays refused.
    """
    order_id, hold = command.order_id, state.holds.get(command.order_id)
    if hold is None:
        return (repeated(command, order_id, "no hold"),)
    if hold.state is HoldState.REFUSED:
        return (_money_back(command, hold),)
    if hold.state is HoldState.EXPIRED:
        return _regain(state, command, state.pending[order_id])
    if hold.state is not HoldState.TENTATIVE:
        return (repeated(command, order_id, hold.state),)
    pending = state.pending[order_id]
    alarm = _alarm(state, _asked(command, pending), Found(), pending.stock_gate)
    return _go_on(command, hold, pending, alarm)


def _go_on(command: ConfirmHold | DecideHold, hold: Hold, pending: Pending, alarm: Alarm) -> Answers:
    at, order_id = command.at, command.order_id
    to_state = _goes_to(alarm, waits=bool(pending.waiting))
    confirmed = HoldConfirmed(
        order_id=order_id,
        at=at,
        from_state=hold.state,
        to_state=to_state,
        pool=pending.pool,
        rule_version=alarm.rule_version,
    )
    routed = (route(pending, order_id, at),) if to_state is HoldState.HELD else ()
    return confirmed, *alarm.events, *alarm.review(at, pending.pool, order_id), *routed


def _money_back(command: ConfirmHold, hold: Hold) -> RefundDue:
    return RefundDue(order_id=command.order_id, at=command.at, from_state=hold.state, paid_minor=command.paid_minor)


def _asked(command: ConfirmHold, pending: Pending) -> Asked:
    return Asked(pending.pool, pending.sub_pool, command.at, pending.units, pending.may_split)


def _regain(state: State, command: ConfirmHold, pending: Pending) -> Answers:
    """Hold an order once more whose time was over before it was paid."""
    order_id, at, pool = command.order_id, command.at, pending.pool
    asked = _asked(command, pending)
    found = find(state, asked)
    if found.reason:
        return (_money_back(command, state.holds[order_id]),)
    alarm = _alarm(state, asked, found, pending.stock_gate)
    to_state = _goes_to(alarm, waits=bool(found.waiting))
    regained = HoldRegained(
        order_id=order_id,
        at=at,
        to_state=to_state,
        pool=pool,
        sub_pool=pending.sub_pool,
        units=found.units,
        waiting=found.waiting,
        rule_version=alarm.rule_version,
    )
    routed = (route(pending, order_id, at),) if to_state is HoldState.HELD else ()
    return regained, *alarm.events, *alarm.review(at, pool, order_id), *routed


def decide_frozen(state: State, command: DecideHold) -> Answers:
    """Let an order go on that was frozen, or cancel it, as a reviewer says."""
    hold = state.holds.get(command.order_id)
    if hold is None or hold.state is not HoldState.FROZEN:
        return (repeated(command, command.order_id, "no hold" if hold is None else hold.state),)
    decided = HoldDecided(
        order_id=command.order_id,
        at=command.at,
        to_state="released" if command.approve else "rejected",
        pool=command.pool,
        reason=reasons.STOCK_PROTECTION,
        reviewer=command.reviewer,
        note=command.note,
    )
    if command.approve:
        return decided, *_go_on(command, hold, state.pending[command.order_id], QUIET)
    return decided, *cancel_unrouted(state, command, hold, reasons.REVIEW_REJECTED)


def cancel_unrouted(state: State, command: CancelHold | DecideHold, hold: Hold, reason: str) -> Answers:
    """Cancel an order that routing does not know of: its units are free at once. A paid one is cancelled with that."""
    order_id, at, pool = command.order_id, command.at, command.pool
    released = HoldReleased(
        order_id=order_id,
        at=at,
        from_state=hold.state,
        pool=pool,
        fulfilment_id=fulfilment_id(order_id, 0),
        units=hold.units,
        reason=reason,
        waiting=waiting_of(state, order_id, state.pending[order_id]),
    )
    answers: list[Answer] = [released]
    if hold.state in UNROUTED and hold.state is not HoldState.TENTATIVE:
        answers.append(OrderCancelled(order_id=order_id, at=at, from_state=released.to_state, reason=reason))
        answers.append(ConfirmCancel(at=at, pool=pool, order_id=order_id))
    return (*answers, *set_free(state, command, hold.units))


def set_free(state: State, command: Freeing, units: tuple[SkuUnits, ...]) -> list[Answer]:
    """Say who gets the units that a hold gives up."""
    at, pool = command.at, command.pool
    answers: list[Answer] = []
    if state.apart and command.order_id in state.apart:
        over = [unit for unit in units if f"{pool}|{unit.sku}" not in state.flashes]
        answers.extend(from_flash(at, f"{pool}|{unit.sku}", unit.units) for unit in over)
        units = tuple(over)
    return [*answers, *serve_free(state, at, pool, units, command.order_id)]
