"""Reservation: holds the units of an order at the level of its stock pool, all of them or none.

A pool's commands come in one order, so a hold needs no lock and no second step: what was free when it was asked for
is held, and nobody else can have it. Every request carries an id (order, fulfilment order, feed) that counts once: a
repeat gets the answer that it got the first time, and a refused order stays refused.

    0 <= held <= on hand,   on hand = received + adjusted - consumed,   held = the units of all open holds

Whatever routing must know of stock it gets from here, in this order, so that an order that is held can be routed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from pipeline.domain import reasons
from pipeline.domain.commands import (
    AdjustStock,
    CancelHold,
    ConsumeHold,
    PlaceHold,
    ReceiveStock,
    RegisterWarehouse,
    ReleaseHold,
    RequestReview,
)
from pipeline.domain.events import (
    CancelRequested,
    HoldConsumed,
    HoldPlaced,
    HoldRefused,
    HoldReleased,
    HoldRepeated,
    OrderCancelled,
    StockAdjusted,
    StockFeedRefused,
    StockFeedRepeated,
    StockReceived,
    WarehouseRegistered,
)
from pipeline.domain.orders import SkuUnits
from pipeline.domain.reservation_state import EMPTY, Event, HoldState, State, evolve, part_of
from pipeline.domain.routing_commands import (
    CancelRoute,
    OpenWarehouse,
    RouteOrder,
    RoutingCommand,
    SettleAllocation,
    StockShelf,
)

if TYPE_CHECKING:
    from pipeline.domain.commands import StockCommand
    from pipeline.domain.reservation_state import Hold

__all__ = ["State", "decide", "evolve"]

SHORT_NAMED_MAX = 5
"""How many of the SKUs that were missing a refusal names."""
WAREHOUSES_PER_POOL_MAX = 64

Answers = tuple[Event | RoutingCommand | RequestReview, ...]


def decide(state: State, command: StockCommand) -> Answers:
    """Answers a command."""
    match command:
        case PlaceHold():
            return _place(state, command)
        case ConsumeHold() | ReleaseHold():
            return _settle(state, command)
        case CancelHold():
            return _cancel(state, command)
        case RegisterWarehouse() | ReceiveStock() | AdjustStock():
            if f"{command.pool}|{command.feed_id}" in state.feeds:
                return (StockFeedRepeated(at=command.at, pool=command.pool, feed_id=command.feed_id),)
            return _feed(state, command)
        case _:
            assert_never(command)


def _place(state: State, command: PlaceHold) -> Answers:
    """Hold all units of an order, or none."""
    order_id, pool, at = command.order_id, command.pool, command.at
    if (hold := state.holds.get(order_id)) is not None:
        return (_repeated(command, order_id, hold.state),)
    prefix, stock = f"{pool}|", state.stock
    short = []
    for unit in command.units:
        balance = stock.get(prefix + unit.sku, EMPTY)
        free = balance.on_hand - balance.held
        if unit.units > free:
            short.append(SkuUnits(unit.sku, unit.units - free))
    if not short:
        return (
            HoldPlaced(order_id=order_id, at=at, pool=pool, units=command.units),
            RouteOrder(at=at, pool=pool, order_id=order_id, units=command.units, ship_to=command.ship_to),
        )
    unknown = [unit.sku for unit in short if prefix + unit.sku not in stock]
    reason = reasons.UNKNOWN_SKU if unknown else reasons.SHORTAGE
    named = tuple(short[:SHORT_NAMED_MAX])
    refused = HoldRefused(order_id=order_id, at=at, pool=pool, reason=reason, short=named)
    if not unknown:
        return (refused,)
    evidence = f"the pool never had {', '.join(unknown[:SHORT_NAMED_MAX])}"
    return refused, RequestReview(at=at, pool=pool, order_id=order_id, reason=reason, evidence=evidence)


def _settle(state: State, command: ConsumeHold | ReleaseHold) -> Answers:
    """Take a fulfilment order's units out of its hold, once: they left, or they are free again."""
    order_id, pool, at, fulfilment_id = command.order_id, command.pool, command.at, command.fulfilment_id
    hold = state.holds.get(order_id)
    answer = _first_answer(hold, command)
    if hold is None or answer:
        return (_repeated(command, order_id, answer),)
    consumed = isinstance(command, ConsumeHold)
    settle = SettleAllocation(at=at, pool=pool, order_id=order_id, fulfilment_id=fulfilment_id, shipped=consumed)
    if isinstance(command, ConsumeHold):
        units = command.units
        return HoldConsumed(order_id=order_id, at=at, pool=pool, fulfilment_id=fulfilment_id, units=units), settle
    released = HoldReleased(
        order_id=order_id, at=at, pool=pool, fulfilment_id=fulfilment_id, units=command.units, reason=command.reason
    )
    if hold.state is not HoldState.CANCELLING or hold.consumed or _units(hold.units) != _units(command.units):
        return released, settle
    # Nothing of it shipped and nothing of it is left: the order as a whole is cancelled.
    cancelled = OrderCancelled(order_id=order_id, at=at, from_state=released.to_state, reason=command.reason)
    return released, cancelled, settle


def _first_answer(hold: Hold | None, command: ConsumeHold | ReleaseHold) -> str:
    """Say why a fulfilment order cannot be settled: what became of it the first time, or what stands against it."""
    if hold is None:
        return "no hold"
    part = part_of(command.order_id, command.fulfilment_id)
    if part in hold.consumed:
        return "consumed"
    if part in hold.released:
        return "released"
    if hold.state is HoldState.REFUSED:
        return hold.state
    open_units = dict(map(_pair, hold.units))
    asked = _units(command.units)
    return "" if all(units <= open_units.get(sku, 0) for sku, units in asked.items()) else "not outstanding"


def _cancel(state: State, command: CancelHold) -> Answers:
    """Cancel what is held: units are released only when it is proven that they will not ship."""
    order_id, pool, at, reason = command.order_id, command.pool, command.at, command.reason
    hold = state.holds.get(order_id)
    if hold is None or hold.state is not HoldState.HELD or not hold.units:
        answer = "no hold" if hold is None else "settled" if hold.state is HoldState.HELD else hold.state
        return (_repeated(command, order_id, answer),)
    return (
        CancelRequested(
            order_id=order_id, at=at, from_state=HoldState.HELD, to_state=HoldState.CANCELLING, reason=reason
        ),
        CancelRoute(at=at, pool=pool, order_id=order_id, reason=reason),
    )


def _repeated(command: StockCommand, order_id: str, answer: str) -> HoldRepeated:
    return HoldRepeated(order_id=order_id, at=command.at, answer=answer)


def _pair(unit: SkuUnits) -> tuple[str, int]:
    return unit.sku, unit.units


def _units(units: tuple[SkuUnits, ...]) -> dict[str, int]:
    """Sum units by SKU."""
    sums: dict[str, int] = {}
    for unit in units:
        sums[unit.sku] = sums.get(unit.sku, 0) + unit.units
    return sums


def _feed(state: State, command: RegisterWarehouse | ReceiveStock | AdjustStock) -> Answers:
    """Take a stock feed."""
    known = state.networks.get(command.pool)
    warehouses = known.warehouses if known is not None else ()
    match command:
        case RegisterWarehouse():
            return _register(command, warehouses)
        case ReceiveStock():
            return _receive(command, warehouses)
        case AdjustStock():
            return _adjust(state, command, warehouses)
        case _:
            assert_never(command)


def _register(command: RegisterWarehouse, warehouses: tuple[str, ...]) -> Answers:
    at, pool, warehouse = command.at, command.pool, command.warehouse
    north, east = command.latitude, command.longitude
    if warehouse not in warehouses and len(warehouses) >= WAREHOUSES_PER_POOL_MAX:
        return (_refused_feed(command, SkuUnits("", 0), reasons.TOO_MANY_WAREHOUSES),)
    return (
        WarehouseRegistered(
            at=at, pool=pool, feed_id=command.feed_id, warehouse=warehouse, latitude=north, longitude=east
        ),
        OpenWarehouse(at=at, pool=pool, warehouse=warehouse, latitude=north, longitude=east),
    )


def _receive(command: ReceiveStock, warehouses: tuple[str, ...]) -> Answers:
    at, pool, warehouse = command.at, command.pool, command.warehouse
    worst = min(command.units, key=lambda unit: unit.units, default=SkuUnits("", 0))
    if warehouse not in warehouses:
        return (_refused_feed(command, worst, reasons.UNKNOWN_WAREHOUSE),)
    if worst.units <= 0:
        return (_refused_feed(command, worst, reasons.NOT_POSITIVE),)
    return (
        StockReceived(at=at, pool=pool, feed_id=command.feed_id, warehouse=warehouse, units=command.units),
        StockShelf(at=at, pool=pool, warehouse=warehouse, units=command.units),
    )


def _adjust(state: State, command: AdjustStock, warehouses: tuple[str, ...]) -> Answers:
    at, pool, warehouse = command.at, command.pool, command.warehouse
    change = SkuUnits(command.sku, command.change_units)
    if warehouse not in warehouses:
        return (_refused_feed(command, change, reasons.UNKNOWN_WAREHOUSE),)
    balance = state.stock.get(f"{pool}|{command.sku}", EMPTY)
    if balance.on_hand + command.change_units < balance.held:
        return (_refused_feed(command, change, reasons.WOULD_TAKE_HELD_UNITS),)
    return (
        StockAdjusted(
            at=at,
            pool=pool,
            feed_id=command.feed_id,
            warehouse=warehouse,
            sku=command.sku,
            change_units=command.change_units,
            reason=command.reason,
        ),
        StockShelf(at=at, pool=pool, warehouse=warehouse, units=(change,)),
    )


def _refused_feed(
    command: RegisterWarehouse | ReceiveStock | AdjustStock, change: SkuUnits, reason: str
) -> StockFeedRefused:
    return StockFeedRefused(
        at=command.at,
        pool=command.pool,
        feed_id=command.feed_id,
        warehouse=command.warehouse,
        sku=change.sku,
        change_units=change.units,
        reason=reason,
    )
