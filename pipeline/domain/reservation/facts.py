"""How the events of `stock_events` about holds change what reservation remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.domain.events import HoldReleased
from pipeline.domain.notes import AddressNoted, BuyerNoted, HoldNoted
from pipeline.domain.orders import SkuUnits, SubPool
from pipeline.domain.reservation.balances import apart, less, move, summed
from pipeline.domain.reservation.limits import alarm_after, first_alarm
from pipeline.domain.reservation.stock_facts import divide, sell
from pipeline.domain.reservation.values import Hold, HoldState, Pending, Wait
from pipeline.domain.stock_events import (
    HoldConfirmed,
    HoldDecided,
    HoldExpedited,
    HoldExpired,
    HoldFilled,
    HoldOverdue,
    HoldReaddressed,
    HoldTrimmed,
    StockEvent,
    TrimRefused,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.domain.reservation.state import State

GivingUp = HoldReleased | HoldExpired | HoldTrimmed
replace = msgspec.structs.replace


def stock_fact(state: State, event: StockEvent) -> None:
    """Apply an event."""
    match event:
        case HoldConfirmed():
            _confirm(state, event)
        case HoldExpired():
            give_up(state, event, HoldState.EXPIRED)
            free(state, event)
            put_pending(state, event.order_id, replace(state.pending[event.order_id], expires_at=None))
        case HoldFilled():
            _fill(state, event)
        case HoldTrimmed():
            _trim(state, event)
        case HoldExpedited():
            _expedite(state, event)
        case TrimRefused() | HoldReaddressed() | HoldDecided():
            pass
        case HoldOverdue():
            put_hold(state, event.order_id, replace(state.holds[event.order_id], alarm_at=event.next_at or 0))
        case _:
            divide(state, event)


# --- holds that routing does not know yet ---


def note(state: State, fact: HoldNoted | AddressNoted | BuyerNoted) -> None:
    """Remember what an order will be routed with, or what its buyer was given of a flash sale."""
    if isinstance(fact, BuyerNoted):
        for unit in fact.units:
            key = f"{fact.pool}|{unit.sku}|{fact.buyer}"
            state.flash_buyers[key] = state.flash_buyers.get(key, 0) + unit.units
        return
    if isinstance(fact, AddressNoted):
        state.pending[fact.order_id] = replace(state.pending[fact.order_id], ship_to=fact.ship_to)
        return
    pending = Pending(
        fact.pool,
        fact.units,
        fact.ship_to,
        fact.sub_pool,
        fact.may_split,
        fact.priority,
        fact.since,
        fact.expires_at,
        stock_gate=fact.stock_gate,
        values_minor=fact.values_minor,
        paid_minor=fact.paid_minor,
    )
    put_pending(state, fact.order_id, pending)


def put_hold(state: State, order_id: str, hold: Hold) -> None:
    """Put a hold, and when it is overdue."""
    state.holds[order_id] = hold
    state.alarms.note(order_id, hold.alarm_at)


def put_pending(state: State, order_id: str, pending: Pending) -> None:
    """Put an order among those that are not routed, and where it expires."""
    state.pending[order_id] = pending
    state.index.expire(order_id, pending.expires_at)


def drop_pending(state: State, order_id: str) -> None:
    """Forget what an order would be routed with."""
    state.pending.pop(order_id, None)
    state.index.expire(order_id, None)
    state.index.frozen.discard(order_id)


def wait_for(state: State, order_id: str, units: Iterable[SkuUnits]) -> None:
    """Queue an order for units."""
    pending = state.pending[order_id]
    is_presale = pending.sub_pool is SubPool.PRESALE
    for unit in units:
        key = f"{order_id}|{unit.sku}"
        wait = Wait(pending.pool, unit.units, pending.priority, pending.since, is_presale)
        state.waits[key] = wait
        state.index.wait(key, wait)
        pending = replace(pending, waiting=pending.waiting + unit.units)
    state.pending[order_id] = pending
    if is_presale:
        move(state.sub_stock, apart(pending.pool, SubPool.PRESALE), units, 0, 1)


def _unwait(state: State, order_id: str, units: Iterable[SkuUnits]) -> None:
    """Take an order out of the queues for units, wholly or in part. Its place there stays."""
    pending = state.pending[order_id]
    for unit in units:
        key = f"{order_id}|{unit.sku}"
        wait = state.waits[key]
        left = wait.units - unit.units
        if left:
            state.waits[key] = replace(wait, units=left)
        else:
            del state.waits[key]
            state.index.unwait(key, wait)
        pending = replace(pending, waiting=pending.waiting - unit.units)
    state.pending[order_id] = pending


def give_up(state: State, event: GivingUp, hold_state: HoldState) -> None:
    """Take what an event gives up out of a hold, and out of the queues. Balances in stock are the caller's."""
    order_id, hold = event.order_id, state.holds[event.order_id]
    units = less(hold.units, event.units)
    if isinstance(event, HoldTrimmed):
        alarm_at = alarm_after(state.policy, hold, hold_state, event.at)
        put_hold(state, order_id, replace(hold, state=hold_state, units=units, alarm_at=alarm_at))
    else:
        put_hold(state, order_id, Hold(hold_state, units))
    if event.waiting:
        _unwait(state, order_id, event.waiting)
        if state.pending[order_id].sub_pool is SubPool.PRESALE:
            move(state.sub_stock, apart(event.pool, SubPool.PRESALE), event.waiting, 0, -1)


def free(state: State, event: HoldExpired | HoldTrimmed) -> None:
    """Free the units that were held on hand."""
    if event.sub_pool is SubPool.FLASH:
        move(state.sub_stock, apart(event.pool, SubPool.FLASH), event.units, 0, -1)
        if not state.holds[event.order_id].units:
            state.apart.pop(event.order_id, None)
    else:
        move(state.stock, f"{event.pool}|", event.units, 0, -1)


def _confirm(state: State, event: HoldConfirmed) -> None:
    order_id, hold = event.order_id, state.holds[event.order_id]
    to_state, paid_at = HoldState(event.to_state), hold.paid_at
    if event.from_state == HoldState.TENTATIVE:
        paid_at, alarm_at = event.at, first_alarm(state.policy, to_state, event.at, event.at)
    else:
        alarm_at = alarm_after(state.policy, hold, to_state, event.at)
    put_hold(state, order_id, replace(hold, state=to_state, paid_at=paid_at, alarm_at=alarm_at))
    pending = state.pending[order_id]
    if state.safety and event.from_state == HoldState.TENTATIVE:
        sell(state, event, pending.units)
    if event.to_state == HoldState.HELD:
        drop_pending(state, order_id)
        return
    put_pending(state, order_id, replace(pending, expires_at=None))
    if event.to_state == HoldState.FROZEN:
        state.index.frozen.add(order_id)
    else:
        state.index.frozen.discard(order_id)


def _fill(state: State, event: HoldFilled) -> None:
    """Hold units that an order waited for: of a presale they come with the promise, else from what is free."""
    order_id, pool, hold = event.order_id, event.pool, state.holds[event.order_id]
    _unwait(state, order_id, event.units)
    if event.sub_pool is SubPool.PRESALE:
        move(state.sub_stock, apart(pool, SubPool.PRESALE), event.units, -1, -1)
        move(state.stock, f"{pool}|", event.units, 1, 1)
    else:
        move(state.stock, f"{pool}|", event.units, 0, 1)
    sums = summed((*hold.units, *event.units))
    units = tuple([SkuUnits(sku, sums[sku]) for sku in sorted(sums)])
    to_state = HoldState(event.to_state)
    alarm_at = alarm_after(state.policy, hold, to_state, event.at)
    put_hold(state, order_id, replace(hold, state=to_state, units=units, alarm_at=alarm_at))
    if event.to_state == HoldState.HELD:
        drop_pending(state, order_id)


def _trim(state: State, event: HoldTrimmed) -> None:
    order_id = event.order_id
    give_up(state, event, HoldState(event.to_state))
    free(state, event)
    if event.to_state == HoldState.HELD:
        drop_pending(state, order_id)
        return
    pending = state.pending[order_id]
    units = less(pending.units, (*event.units, *event.waiting))
    state.pending[order_id] = replace(pending, units=units, trims=(*pending.trims, event.trim_id), values_minor=())


def _expedite(state: State, event: HoldExpedited) -> None:
    """Give an order that is not routed another place in the queues."""
    order_id, pending = event.order_id, state.pending.get(event.order_id)
    if pending is None:
        return
    state.pending[order_id] = replace(pending, priority=event.priority)
    for unit in pending.units:
        key = f"{order_id}|{unit.sku}"
        wait = state.waits.get(key)
        if wait is not None:
            state.waits[key] = wait = replace(wait, priority=event.priority)
            state.index.wait(key, wait)
