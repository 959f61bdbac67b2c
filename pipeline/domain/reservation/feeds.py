"""What warehouses and planners say of stock. A feed counts once; one that makes no sense is refused, and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from pipeline.domain import reasons
from pipeline.domain.commands import AdjustStock, ReceiveStock, RegisterWarehouse
from pipeline.domain.events import StockAdjusted, StockReceived, WarehouseRegistered
from pipeline.domain.network_commands import DescribeSkus, SetRoutingPlan, WithdrawWarehouse
from pipeline.domain.orders import SkuUnits
from pipeline.domain.reservation.answers import Answers, feed_id_of, refused_feed, repeated_feed
from pipeline.domain.reservation.balances import summed
from pipeline.domain.reservation.counts import correct, count
from pipeline.domain.reservation.network import pass_on
from pipeline.domain.reservation.serving import Serving, serve_free
from pipeline.domain.reservation.stock_facts import arrivals, promised
from pipeline.domain.reservation.subpools import announce, bundle, close_inbound, open_flash, transfer
from pipeline.domain.reservation.values import EMPTY
from pipeline.domain.routing_commands import OpenWarehouse, StockShelf
from pipeline.domain.stock_commands import (
    AnnounceInbound,
    CloseInbound,
    CorrectStock,
    CountStock,
    DefineBundle,
    OpenFlash,
    SetSafety,
    TransferStock,
)
from pipeline.domain.stock_events import SafetySet

if TYPE_CHECKING:
    from pipeline.domain.network_commands import NetworkCommand
    from pipeline.domain.reservation.state import State
    from pipeline.domain.stock_commands import StockFeed

WAREHOUSES_PER_POOL_MAX = 64


def feed(state: State, command: StockFeed | NetworkCommand) -> Answers:
    """Take a feed."""
    if f"{command.pool}|{feed_id_of(command)}" in state.feeds:
        return (repeated_feed(command),)
    match command:
        case CorrectStock():
            return correct(state, command)
        case CloseInbound() | TransferStock() | OpenFlash() | DefineBundle() | SetSafety():
            return _of_planner(state, command)
        case _:
            return _of_warehouse(state, command)


def _of_planner(state: State, command: CloseInbound | TransferStock | OpenFlash | DefineBundle | SetSafety) -> Answers:
    match command:
        case CloseInbound():
            return close_inbound(state, command)
        case TransferStock():
            return transfer(state, command)
        case OpenFlash():
            return open_flash(state, command)
        case DefineBundle():
            return bundle(state, command)
        case SetSafety():
            return (_watch(command),)
        case _:
            assert_never(command)


def _watch(command: SetSafety) -> SafetySet:
    return SafetySet(
        at=command.at,
        pool=command.pool,
        feed_id=command.feed_id,
        sku=command.sku,
        lead_days=command.lead_days,
        floor_units=command.floor_units,
    )


def _of_warehouse(
    state: State,
    command: RegisterWarehouse | ReceiveStock | AdjustStock | CountStock | AnnounceInbound | NetworkCommand,
) -> Answers:
    known = state.networks.get(command.pool)
    warehouses = known.warehouses if known is not None else ()
    match command:
        case RegisterWarehouse():
            return _register(command, warehouses)
        case ReceiveStock():
            return _receive(state, command, warehouses)
        case AdjustStock():
            return _adjust(state, command, warehouses)
        case CountStock():
            return count(command, warehouses)
        case AnnounceInbound():
            return announce(state, command, warehouses)
        case SetRoutingPlan() | DescribeSkus() | WithdrawWarehouse():
            return pass_on(command, warehouses)
        case _:
            assert_never(command)


def _register(command: RegisterWarehouse, warehouses: tuple[str, ...]) -> Answers:
    at, pool, warehouse = command.at, command.pool, command.warehouse
    north, east = command.latitude, command.longitude
    if warehouse not in warehouses and len(warehouses) >= WAREHOUSES_PER_POOL_MAX:
        return (refused_feed(command, SkuUnits("", 0), reasons.TOO_MANY_WAREHOUSES),)
    return (
        WarehouseRegistered(
            at=at, pool=pool, feed_id=command.feed_id, warehouse=warehouse, latitude=north, longitude=east
        ),
        OpenWarehouse(at=at, pool=pool, warehouse=warehouse, latitude=north, longitude=east),
    )


def _receive(state: State, command: ReceiveStock, warehouses: tuple[str, ...]) -> Answers:
    at, pool, warehouse, inbound_id = command.at, command.pool, command.warehouse, command.inbound_id
    worst = min(command.units, key=lambda unit: unit.units, default=SkuUnits("", 0))
    if warehouse not in warehouses:
        return (refused_feed(command, worst, reasons.UNKNOWN_WAREHOUSE),)
    if worst.units <= 0:
        return (refused_feed(command, worst, reasons.NOT_POSITIVE),)
    if inbound_id and f"{pool}|{inbound_id}" not in state.inbounds:
        return (refused_feed(command, worst, reasons.UNKNOWN_INBOUND),)
    theirs = promised(state, pool, arrivals(state, pool, inbound_id, command.units))
    free = {sku: count - theirs.get(sku, 0) for sku, count in summed(command.units).items()}
    serving = Serving(state, at)
    serving.presale({f"{pool}|{sku}": count for sku, count in theirs.items()})
    serving.free({f"{pool}|{sku}": count for sku, count in free.items()})
    received = StockReceived(
        at=at, pool=pool, feed_id=command.feed_id, warehouse=warehouse, units=command.units, inbound_id=inbound_id
    )
    return received, StockShelf(at=at, pool=pool, warehouse=warehouse, units=command.units), *serving.answers


def _adjust(state: State, command: AdjustStock, warehouses: tuple[str, ...]) -> Answers:
    at, pool, warehouse = command.at, command.pool, command.warehouse
    change = SkuUnits(command.sku, command.change_units)
    if warehouse not in warehouses:
        return (refused_feed(command, change, reasons.UNKNOWN_WAREHOUSE),)
    balance = state.stock.get(f"{pool}|{command.sku}", EMPTY)
    if balance.on_hand + command.change_units < balance.held:
        return (refused_feed(command, change, reasons.WOULD_TAKE_HELD_UNITS),)
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
        *serve_free(state, at, pool, (change,)),
    )
