"""Reservation: holds the units of an order at the level of its stock pool, all of them or none.

A pool's commands come in one order, so a hold needs no lock and no second step: what was free when it was asked for
is held, and nobody else can have it. Every request carries an id (order, fulfilment order, feed) that counts once: a
repeat gets the answer that it got the first time, and a refused order stays refused.

    0 <= held <= on hand,   on hand = received + adjusted - consumed,   held = the units of all open holds

and the same in each sub-pool, between which units are transferred. A hold may be tentative, until it is confirmed or
its time is over; an order that may wait is queued for what is not there. The modules `reservation_*` have the parts.

Whatever routing must know of stock it gets from here, in this order, so that an order that is held can be routed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from pipeline.domain.commands import (
    AdjustStock,
    CancelHold,
    ConfirmHold,
    ConsumeHold,
    PlaceHold,
    ReceiveStock,
    RegisterWarehouse,
    ReleaseHold,
    Tick,
)
from pipeline.domain.events import CancelRequested, HoldConsumed, HoldPlaced, HoldReleased, OrderCancelled
from pipeline.domain.network_commands import DescribeSkus, NetworkCommand, SetRoutingPlan, WithdrawWarehouse
from pipeline.domain.order_commands import ConfirmCancel, ExpediteHold, ReplaceAddress, TrimHold
from pipeline.domain.order_events import policy_set
from pipeline.domain.order_policy import SetOrderPolicy
from pipeline.domain.orders import SkuUnits, SubPool
from pipeline.domain.reservation.answers import Answers, repeated
from pipeline.domain.reservation.balances import summed
from pipeline.domain.reservation.changes import expedite, readdress, trim
from pipeline.domain.reservation.feeds import feed
from pipeline.domain.reservation.holds import cancel_unrouted, confirm, decide_frozen, place, set_free
from pipeline.domain.reservation.state import State, evolve, part_of, ready
from pipeline.domain.reservation.ticks import tick
from pipeline.domain.reservation.unheld import NOT_OUTSTANDING, unheld
from pipeline.domain.reservation.values import CANCELLING, EMPTY, HELD, HoldState
from pipeline.domain.routing_commands import CancelRoute, RouteOrder, SettleAllocation
from pipeline.domain.stock_commands import (
    AnnounceInbound,
    CloseInbound,
    CorrectStock,
    CountStock,
    DecideHold,
    DefineBundle,
    OpenFlash,
    SetSafety,
    StockFeed,
    TransferStock,
)

if TYPE_CHECKING:
    from pipeline.domain.reservation.values import Hold

__all__ = ["State", "StockCommand", "decide", "evolve"]

StockCommand = (
    PlaceHold
    | ConfirmHold
    | DecideHold
    | CancelHold
    | TrimHold
    | ExpediteHold
    | ReplaceAddress
    | ConsumeHold
    | ReleaseHold
    | Tick
    | SetOrderPolicy
    | StockFeed
    | NetworkCommand
)


IN_STOCK = SubPool.STOCK


def decide(state: State, command: StockCommand) -> Answers:
    """Answers a command. A Tick that finds nothing due is answered with nothing."""
    match command:
        case PlaceHold():
            return _place(state, command)
        case ConsumeHold() | ReleaseHold():
            return _settle(state, command)
        case ConfirmHold() | DecideHold() | CancelHold() | TrimHold() | ExpediteHold() | ReplaceAddress():
            return _change_hold(state, command)
        case Tick():
            return tick(state, command)
        case SetOrderPolicy():
            return (policy_set(command),)
        case (
            RegisterWarehouse()
            | ReceiveStock()
            | AdjustStock()
            | CountStock()
            | CorrectStock()
            | AnnounceInbound()
            | CloseInbound()
            | TransferStock()
            | OpenFlash()
            | DefineBundle()
            | SetSafety()
            | SetRoutingPlan()
            | DescribeSkus()
            | WithdrawWarehouse()
        ):
            return feed(state, command)
        case _:
            assert_never(command)


def _change_hold(
    state: State, command: ConfirmHold | DecideHold | CancelHold | TrimHold | ExpediteHold | ReplaceAddress
) -> Answers:
    match command:
        case ConfirmHold():
            return confirm(state, command)
        case DecideHold():
            return decide_frozen(state, command)
        case CancelHold():
            return _cancel(state, command)
        case TrimHold():
            return trim(state, command)
        case ExpediteHold():
            return expedite(state, command)
        case ReplaceAddress():
            return readdress(state, command)
        case _:
            assert_never(command)


def _place(state: State, command: PlaceHold) -> Answers:
    """Hold all units of an order, or none, or queue it for them.

    The usual order, of which all is free, is answered here, and quickly.
    """
    order_id, pool, at = command.order_id, command.pool, command.at
    if (hold := state.holds.get(order_id)) is not None:
        return (repeated(command, order_id, hold.state),)
    is_plain = command.sub_pool is IN_STOCK and command.expires_at is None
    if not is_plain or state.bundles or state.safety:
        return place(state, command)
    prefix, stock, queues = f"{pool}|", state.stock, ready(state).backorders
    for unit in command.units:
        balance = stock.get(prefix + unit.sku, EMPTY)
        if unit.units > balance.on_hand - balance.held or (queues and prefix + unit.sku in queues):
            return place(state, command)
    return (
        HoldPlaced(order_id=order_id, at=at, pool=pool, units=command.units, paid_at=command.paid_at or None),
        RouteOrder(
            at=at,
            pool=pool,
            order_id=order_id,
            units=command.units,
            ship_to=command.ship_to,
            priority=command.priority,
            values_minor=command.values_minor,
            paid_minor=command.paid_minor,
        ),
    )


def _settle(state: State, command: ConsumeHold | ReleaseHold) -> Answers:
    """Take a fulfilment order's units out of its hold, once: they left, or they are free again."""
    order_id, pool, at, fulfilment_id = command.order_id, command.pool, command.at, command.fulfilment_id
    hold = state.holds.get(order_id)
    answer = _first_answer(hold, command)
    if hold is None or answer:
        return unheld(state, command, answer)
    if isinstance(command, ConsumeHold):
        units = command.units
        gone = SettleAllocation(
            at=at,
            pool=pool,
            order_id=order_id,
            fulfilment_id=fulfilment_id,
            shipped=True,
            warehouse=command.warehouse,
            units=units,
        )
        return HoldConsumed(order_id=order_id, at=at, pool=pool, fulfilment_id=fulfilment_id, units=units), gone
    settle = SettleAllocation(at=at, pool=pool, order_id=order_id, fulfilment_id=fulfilment_id, shipped=False)
    released = HoldReleased(
        order_id=order_id, at=at, pool=pool, fulfilment_id=fulfilment_id, units=command.units, reason=command.reason
    )
    freed = set_free(state, command, command.units)
    if hold.state is not CANCELLING or hold.consumed or summed(hold.units) != summed(command.units):
        return released, settle, *freed
    # Nothing of it shipped and nothing of it is left: the order as a whole is cancelled.
    cancelled = OrderCancelled(order_id=order_id, at=at, from_state=released.to_state, reason=command.reason)
    return released, cancelled, settle, ConfirmCancel(at=at, pool=pool, order_id=order_id), *freed


def _first_answer(hold: Hold | None, command: ConsumeHold | ReleaseHold) -> str:
    """Say why a fulfilment order cannot be settled: what became of it the first time, or what stands against it."""
    if hold is None:
        return "no hold"
    part = part_of(command.order_id, command.fulfilment_id)
    if part in hold.consumed:
        return "consumed"
    if part in hold.released:
        return "released"
    if hold.state is not HELD and hold.state is not CANCELLING:
        return hold.state
    if hold.units == command.units:
        return ""
    open_units = dict(map(_pair, hold.units))
    asked = summed(command.units)
    return "" if all(units <= open_units.get(sku, 0) for sku, units in asked.items()) else NOT_OUTSTANDING


def _cancel(state: State, command: CancelHold) -> Answers:
    """Cancel what is held: units are released only when it is proven that they will not ship."""
    order_id, pool, at, reason = command.order_id, command.pool, command.at, command.reason
    hold = state.holds.get(order_id)
    if hold is not None and order_id in state.pending:
        return cancel_unrouted(state, command, hold, reason)
    if hold is None or hold.state is not HoldState.HELD or not hold.units:
        answer = "no hold" if hold is None else "settled" if hold.state is HoldState.HELD else hold.state
        return (repeated(command, order_id, answer),)
    return (
        CancelRequested(
            order_id=order_id, at=at, from_state=HoldState.HELD, to_state=HoldState.CANCELLING, reason=reason
        ),
        CancelRoute(at=at, pool=pool, order_id=order_id, reason=reason),
    )


def _pair(unit: SkuUnits) -> tuple[str, int]:
    return unit.sku, unit.units
