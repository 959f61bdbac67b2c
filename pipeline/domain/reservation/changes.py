"""What may change about a hold before routing has it: fewer units, another priority, another address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.domain import reasons
from pipeline.domain.notes import AddressNoted
from pipeline.domain.orders import SkuUnits
from pipeline.domain.reservation.answers import Answers, repeated, route, waiting_of
from pipeline.domain.reservation.asking import expand
from pipeline.domain.reservation.balances import less, summed
from pipeline.domain.reservation.holds import set_free
from pipeline.domain.reservation.values import UNROUTED, HoldState
from pipeline.domain.routing_commands import ExpediteRoute, RedirectRoute
from pipeline.domain.stock_events import HoldExpedited, HoldReaddressed, HoldTrimmed, TrimRefused

if TYPE_CHECKING:
    from pipeline.domain.order_commands import ExpediteHold, ReplaceAddress, TrimHold
    from pipeline.domain.reservation.state import State
    from pipeline.domain.reservation.values import Hold, Pending

TRIMS_MAX = 16
"""How many partial cancellations of one order count."""
ROUTED = frozenset({HoldState.HELD, HoldState.CANCELLING})


def trim(state: State, command: TrimHold) -> Answers:
    """Take units out of an order that routing does not know of: first those that it waits for. The rest stays held."""
    order_id, hold = command.order_id, state.holds.get(command.order_id)
    pending = state.pending.get(order_id)
    if hold is None or pending is None or hold.state not in UNROUTED:
        return (_refused(command, hold, _why_not(hold)),)
    if command.trim_id and command.trim_id in pending.trims:
        return (repeated(command, order_id, "trimmed"),)
    wanted, units = summed(pending.units), expand(state, command.pool, command.units)
    cut = summed(units)
    if not cut or any(count <= 0 or count > wanted.get(sku, 0) for sku, count in cut.items()):
        return (_refused(command, hold, reasons.NOT_OUTSTANDING),)
    if cut == wanted:
        return (_refused(command, hold, reasons.NOTHING_WOULD_BE_LEFT),)
    if len(pending.trims) >= TRIMS_MAX:
        return (_refused(command, hold, reasons.TOO_MANY_TRIMS),)
    return _trim(state, command, hold, pending)


def _trim(state: State, command: TrimHold, hold: Hold, pending: Pending) -> Answers:
    order_id, at, cut = command.order_id, command.at, summed(expand(state, command.pool, command.units))
    waits = summed(waiting_of(state, order_id, pending))
    waiting = tuple([SkuUnits(sku, min(count, waits[sku])) for sku, count in cut.items() if sku in waits])
    held = less([SkuUnits(sku, count) for sku, count in cut.items()], waiting)
    goes_on = hold.state is HoldState.WAITING and pending.waiting == sum([unit.units for unit in waiting])
    trimmed = HoldTrimmed(
        order_id=order_id,
        at=at,
        from_state=hold.state,
        to_state=HoldState.HELD if goes_on else hold.state,
        pool=pending.pool,
        trim_id=command.trim_id,
        sub_pool=pending.sub_pool,
        units=held,
        waiting=waiting,
        reason=command.reason,
    )
    freed = set_free(state, command, held)
    if not goes_on:
        return trimmed, *freed
    left = less(pending.units, (*held, *waiting))
    routed = route(msgspec.structs.replace(pending, units=left, values_minor=()), order_id, at)
    return trimmed, routed, *freed


def _why_not(hold: Hold | None) -> str:
    if hold is None:
        return "no hold"
    return reasons.ALREADY_ROUTED if hold.state in ROUTED else hold.state


def _refused(command: TrimHold, hold: Hold | None, reason: str) -> TrimRefused:
    standing = "" if hold is None else hold.state
    return TrimRefused(
        order_id=command.order_id,
        at=command.at,
        from_state=standing,
        to_state=standing,
        pool=command.pool,
        trim_id=command.trim_id,
        reason=reason,
    )


def expedite(state: State, command: ExpediteHold) -> Answers:
    """Serve an order before others: here while it waits, in routing when routing has it."""
    order_id, hold = command.order_id, state.holds.get(command.order_id)
    if hold is None or (order_id not in state.pending and not hold.units):
        return (repeated(command, order_id, "no hold" if hold is None else hold.state),)
    expedited = HoldExpedited(
        order_id=order_id,
        at=command.at,
        from_state=hold.state,
        to_state=hold.state,
        pool=command.pool,
        priority=command.priority,
    )
    if order_id in state.pending:
        return (expedited,)
    passed = ExpediteRoute(at=command.at, pool=command.pool, order_id=order_id, priority=command.priority)
    return expedited, passed


def readdress(state: State, command: ReplaceAddress) -> Answers:
    """Send an order somewhere else: noted while it waits, asked of routing when routing has it."""
    order_id, hold = command.order_id, state.holds.get(command.order_id)
    if hold is None or (order_id not in state.pending and not hold.units):
        return (repeated(command, order_id, "no hold" if hold is None else hold.state),)
    moved = HoldReaddressed(
        order_id=order_id, at=command.at, from_state=hold.state, to_state=hold.state, pool=command.pool
    )
    if order_id in state.pending:
        return AddressNoted(order_id=order_id, ship_to=command.ship_to), moved
    passed = RedirectRoute(at=command.at, pool=command.pool, order_id=order_id, ship_to=command.ship_to)
    return moved, passed
