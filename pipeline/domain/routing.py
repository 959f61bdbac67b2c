"""Routing: chooses the warehouses that ship an order whose units are held.

The nearest warehouse that has all of it ships it. Where none has, the order is split: each warehouse, the nearest
first, ships what it can. Near is the great circle from the capital of the receiver's province; where nobody knows the
province, the order of the warehouses' registration decides. Every candidate's score goes into the event, so that a
choice can be questioned later.

Routing folds the same stock as reservation, in the same order, so what is held can be routed: the shelves' free units
add up to at least the units that are held and not yet routed. Should they ever not, the hold is released and the
order's route has failed, as an event says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from pipeline.domain import reasons
from pipeline.domain.commands import CancelFulfilment, Fulfilment, IssueWaybill, ReleaseHold
from pipeline.domain.events import CancelRequested
from pipeline.domain.orders import SkuUnits, fulfilment_id
from pipeline.domain.regions import distance_km
from pipeline.domain.routing_commands import (
    CancelRoute,
    OpenWarehouse,
    RouteOrder,
    RoutingCommand,
    SettleAllocation,
    StockShelf,
)
from pipeline.domain.routing_state import FREED, SHIPPED, Event, RouteState, State, Warehouse, evolve
from pipeline.domain.shipping_events import (
    AllocationSettled,
    OrderRouted,
    RouteFailed,
    RoutePart,
    RouteRepeated,
    RouteScore,
    ShelfStocked,
    WarehouseOpened,
)

if TYPE_CHECKING:
    from pipeline.domain.routing_state import Part, Route

__all__ = ["State", "decide", "evolve"]

NO_ROUTE = "no route"
SETTLED = "settled"

Answers = tuple[Event | IssueWaybill | CancelFulfilment | ReleaseHold, ...]
Offer = tuple[Warehouse, float, list[int]]
"""A candidate: how far it is in kilometres, and how many of the units of each line it could ship."""


def decide(state: State, command: RoutingCommand) -> Answers:
    """Answers a command."""
    match command:
        case RouteOrder():
            return _route(state, command)
        case SettleAllocation():
            return _settle(state, command)
        case CancelRoute():
            return _cancel(state, command)
        case StockShelf():
            return (ShelfStocked(at=command.at, pool=command.pool, warehouse=command.warehouse, units=command.units),)
        case OpenWarehouse():
            return (
                WarehouseOpened(
                    at=command.at,
                    pool=command.pool,
                    warehouse=command.warehouse,
                    latitude=command.latitude,
                    longitude=command.longitude,
                ),
            )
        case _:
            assert_never(command)


def _route(state: State, command: RouteOrder) -> Answers:
    """Choose an order's warehouses."""
    order_id, pool, at = command.order_id, command.pool, command.at
    if (route := state.routes.get(order_id)) is not None:
        return (_repeated(command, route.state, "route"),)
    offers = _offers(state, command)
    scores = tuple([RouteScore(warehouse=name.name, distance_km=km, units_free=sum(free)) for name, km, free in offers])
    parts = _parts(command, offers)
    if not parts:
        return (
            RouteFailed(order_id=order_id, at=at, pool=pool, units=command.units, scores=scores),
            ReleaseHold(
                at=at,
                pool=pool,
                order_id=order_id,
                fulfilment_id=fulfilment_id(order_id, 0),
                units=command.units,
                reason=reasons.NOT_ROUTABLE,
            ),
        )
    issues = [
        IssueWaybill(
            at=at,
            fulfilment_id=part.fulfilment_id,
            fulfilment=_fulfilment(command, part, len(parts)),
            ship_to=command.ship_to,
        )
        for part in parts
    ]
    return OrderRouted(order_id=order_id, at=at, pool=pool, parts=parts, scores=scores), *issues


def _offers(state: State, command: RouteOrder) -> list[Offer]:
    """Ask every warehouse what it could ship, the nearest first."""
    known = state.warehouses.get(command.pool)
    if known is None:
        return []
    province, pool, get = command.ship_to.province, command.pool, state.shelves.get
    wanted = [(unit.sku, unit.units) for unit in command.units]
    offers = []
    for warehouse in known.warehouses:
        prefix = f"{pool}|{warehouse.name}|"
        could = []
        for sku, units in wanted:
            shelf = get(prefix + sku)
            free = 0 if shelf is None else shelf.on_hand - shelf.allocated
            could.append(units if free >= units else max(free, 0))
        offers.append((warehouse, distance_km(province, warehouse.latitude, warehouse.longitude), could))
    offers.sort(key=_distance)
    return offers


def _distance(offer: Offer) -> float:
    return offer[1]


def _parts(command: RouteOrder, offers: list[Offer]) -> tuple[RoutePart, ...]:
    """Give what each warehouse ships; nothing where they cannot ship the whole order together."""
    order_id, units = command.order_id, command.units
    wanted = [unit.units for unit in units]
    for warehouse, _, could in offers:
        if could == wanted:
            return (RoutePart(fulfilment_id=fulfilment_id(order_id, 1), warehouse=warehouse.name, units=units),)
    parts: list[RoutePart] = []
    for warehouse, _, could in offers:
        taken = [min(free, want) for free, want in zip(could, wanted, strict=True)]
        if not any(taken):
            continue
        wanted = [want - took for want, took in zip(wanted, taken, strict=True)]
        share = tuple(SkuUnits(unit.sku, took) for unit, took in zip(units, taken, strict=True) if took)
        number = len(parts) + 1
        parts.append(RoutePart(fulfilment_id=fulfilment_id(order_id, number), warehouse=warehouse.name, units=share))
    return () if any(wanted) else tuple(parts)


def _fulfilment(command: RouteOrder | CancelRoute, part: RoutePart | Part, parts: int) -> Fulfilment:
    return Fulfilment(
        fulfilment_id=part.fulfilment_id,
        order_id=command.order_id,
        pool=command.pool,
        warehouse=part.warehouse,
        parts=parts,
        units=part.units,
    )


def _settle(state: State, command: SettleAllocation) -> Answers:
    """Take a part off its warehouse's shelves, shipped or not."""
    order_id, settled = command.order_id, command.fulfilment_id
    route = state.routes.get(order_id)
    if route is None or all(part.fulfilment_id != settled for part in route.outstanding):
        return (_repeated(command, _standing(route), "settle"),)
    return (
        AllocationSettled(
            order_id=order_id,
            at=command.at,
            to_state=SHIPPED if command.shipped else FREED,
            pool=command.pool,
            fulfilment_id=settled,
        ),
    )


def _cancel(state: State, command: CancelRoute) -> Answers:
    """Ask for each part to be stopped that has not left."""
    route = state.routes.get(command.order_id)
    if route is None or route.state is not RouteState.ROUTED or not route.outstanding:
        return (_repeated(command, _standing(route), "cancel"),)
    requested = CancelRequested(
        order_id=command.order_id,
        at=command.at,
        from_state=RouteState.ROUTED,
        to_state=RouteState.CANCELLING,
        reason=command.reason,
    )
    stops = [
        CancelFulfilment(
            at=command.at,
            fulfilment_id=part.fulfilment_id,
            fulfilment=_fulfilment(command, part, route.parts),
            reason=command.reason,
        )
        for part in route.outstanding
    ]
    return requested, *stops


def _standing(route: Route | None) -> str:
    if route is None:
        return NO_ROUTE
    return SETTLED if route.parts and not route.outstanding else route.state


def _repeated(command: RouteOrder | SettleAllocation | CancelRoute, standing: str, kind: str) -> RouteRepeated:
    return RouteRepeated(order_id=command.order_id, at=command.at, from_state=standing, to_state=standing, kind=kind)
