"""Routing: chooses the warehouses that ship an order whose units are held.

Without a plan of the pool's owner the nearest warehouse that has all of it ships it. Where none has, the order is
split: each warehouse, the nearest first, ships what it can. Near is the great circle from the capital of the receiver's
province; where nobody knows the province, the order of the warehouses' registration decides. Under a plan the fewest
warehouses that can ship it together, and of those the best scored (`choice`, `scores`). Every
candidate's score goes into the event, so that a choice can be questioned later.

Routing folds the same stock as reservation, in the same order, so what is held can be routed: the shelves' free units
add up to at least the units that are held and not yet routed. Should they ever not, the hold is released and the
order's route has failed, as an event says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from pipeline.domain import reasons
from pipeline.domain.commands import CancelFulfilment, ConsumeHold, IssueWaybill, ReleaseHold, Tick
from pipeline.domain.events import CancelRequested
from pipeline.domain.notes import AddressNoted
from pipeline.domain.orders import SkuUnits, fulfilment_id
from pipeline.domain.routing.by_plan import Chosen, Money, by_plan, with_money
from pipeline.domain.routing.counting import counted, settled
from pipeline.domain.routing.floor import expedited, express, express_again, is_express, scanned, scanned_out, waves
from pipeline.domain.routing.moves import fulfilment_of, redirected, reported, rerouted
from pipeline.domain.routing.state import FREED, SHIPPED, Event, State, evolve
from pipeline.domain.routing.values import EMPTY, RouteState, Site
from pipeline.domain.routing_commands import (
    AdoptPlan,
    CancelRoute,
    CloseWarehouse,
    CountShelf,
    ExpediteRoute,
    NoteProducts,
    OpenWarehouse,
    RedirectRoute,
    ReportStop,
    RouteOrder,
    RoutingCommand,
    ScanItem,
    ScanOutbound,
    SettleAllocation,
    SettleCount,
    StockShelf,
)
from pipeline.domain.routing_events import PlanAdopted, ProductsNoted, WarehouseClosed
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
from pipeline.domain.stock_commands import CorrectStock

if TYPE_CHECKING:
    from pipeline.domain.routing.values import Part, Route

__all__ = ["State", "decide", "evolve"]

NO_ROUTE = "no route"
SETTLED = "settled"

Answers = tuple[Event | AddressNoted | IssueWaybill | CancelFulfilment | ReleaseHold | ConsumeHold | CorrectStock, ...]
OfParts = ReportStop | RedirectRoute | ExpediteRoute | ScanItem | ScanOutbound
Offer = tuple[Site, list[int]]
"""A candidate, and how many of the units of each line it could ship."""


def decide(state: State, command: RoutingCommand) -> Answers:
    """Answers a command."""
    match command:
        case RouteOrder():
            return _route(state, command)
        case SettleAllocation():
            return _settle(state, command)
        case CancelRoute():
            return _cancel(state, command)
        case Tick():
            return *rerouted(state, command), *waves(state, command)
        case StockShelf() | OpenWarehouse() | CloseWarehouse() | AdoptPlan() | NoteProducts():
            return (_of_network(command),)
        case _:
            return _of_floor(state, command)


def _of_floor(state: State, command: CountShelf | SettleCount | OfParts) -> Answers:
    """Take what is told of a warehouse's shelves, and of routed parts."""
    match command:
        case CountShelf():
            return counted(state, command)
        case SettleCount():
            return (settled(state, command),)
        case _:
            return _of_parts(state, command)


def _of_parts(state: State, command: OfParts) -> Answers:
    """Take what is asked or told of an order's routed parts."""
    standing = _standing(state.routes.get(command.order_id))
    match command:
        case ReportStop():
            answers = tuple(reported(state, command, standing))
            return *answers, *express_again(state, answers)
        case RedirectRoute():
            return tuple(redirected(state, command, standing))
        case ExpediteRoute():
            return tuple(expedited(state, command, standing))
        case ScanItem():
            return (scanned(state, command, standing),)
        case ScanOutbound():
            return scanned_out(state, command, standing)
        case _:
            assert_never(command)


def _of_network(command: StockShelf | OpenWarehouse | CloseWarehouse | AdoptPlan | NoteProducts) -> Event:
    """Take what is told of the network."""
    at, pool = command.at, command.pool
    match command:
        case StockShelf(warehouse=name, units=units):
            return ShelfStocked(at=at, pool=pool, warehouse=name, units=units)
        case OpenWarehouse(warehouse=name, latitude=north, longitude=east):
            return WarehouseOpened(at=at, pool=pool, warehouse=name, latitude=north, longitude=east)
        case CloseWarehouse(warehouse=name, reason=reason):
            return WarehouseClosed(at=at, pool=pool, warehouse=name, reason=reason)
        case AdoptPlan(plan=plan):
            return PlanAdopted(at=at, pool=pool, plan=plan, rule_version=plan.version)
        case NoteProducts(skus=skus):
            return ProductsNoted(at=at, pool=pool, skus=skus)
        case _:
            assert_never(command)


def _route(state: State, command: RouteOrder) -> Answers:
    """Choose an order's warehouses."""
    order_id, pool, at = command.order_id, command.pool, command.at
    if (route := state.routes.get(order_id)) is not None:
        return (_repeated(command, route.state, "route"),)
    plan = state.plans.get(pool)
    parts, scores = _nearest(state, command) if plan is None else by_plan(state, command, plan)
    version = None if plan is None else plan.version
    if not parts:
        return (
            RouteFailed(order_id=order_id, at=at, pool=pool, units=command.units, scores=scores, rule_version=version),
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
            fulfilment=fulfilment_of(order_id, pool, part, len(parts)),
            ship_to=command.ship_to,
        )
        for part in parts
    ]
    routed = OrderRouted(order_id=order_id, at=at, pool=pool, parts=parts, scores=scores, rule_version=version)
    if plan is None:
        return routed, *issues
    noted = AddressNoted(order_id=order_id, ship_to=command.ship_to)
    hurried = [part for part in parts if is_express(state, pool, part.warehouse, command.priority)]
    lists = [answer for part in hurried for answer in express(order_id, at, pool, part)]
    return routed, noted, *issues, *lists


def _nearest(state: State, command: RouteOrder) -> Chosen:
    """Choose without a plan."""
    offers = _offers(state, command)
    scores = tuple(
        [RouteScore(warehouse=site.name, distance_km=site.distance_km, units_free=sum(free)) for site, free in offers]
    )
    money = Money(command.units, command.values_minor, command.paid_minor)
    return with_money(_parts(command, offers), money), scores


def _offers(state: State, command: RouteOrder) -> list[Offer]:
    """Ask every warehouse what it could ship, the nearest first."""
    known = state.warehouses.get(command.pool)
    if known is None:
        return []
    get = state.shelves.get
    wanted = [(unit.sku, unit.units) for unit in command.units]
    offers = []
    for site in state.sites.of(command.pool, known, command.ship_to.province):
        prefix = site.shelves
        could = []
        for sku, units in wanted:
            shelf = get(prefix + sku, EMPTY)
            free = shelf.on_hand - shelf.allocated
            could.append(units if free >= units else max(free, 0))
        offers.append((site, could))
    return offers


def _parts(command: RouteOrder, offers: list[Offer]) -> tuple[RoutePart, ...]:
    """Give what each warehouse ships; nothing where they cannot ship the whole order together."""
    order_id, units = command.order_id, command.units
    wanted = [unit.units for unit in units]
    for site, could in offers:
        if could == wanted:
            return (RoutePart(fulfilment_id=fulfilment_id(order_id, 1), warehouse=site.name, units=units),)
    parts: list[RoutePart] = []
    for site, could in offers:
        taken = [min(free, want) for free, want in zip(could, wanted, strict=True)]
        if not any(taken):
            continue
        wanted = [want - took for want, took in zip(wanted, taken, strict=True)]
        share = tuple(SkuUnits(unit.sku, took) for unit, took in zip(units, taken, strict=True) if took)
        number = len(parts) + 1
        parts.append(RoutePart(fulfilment_id=fulfilment_id(order_id, number), warehouse=site.name, units=share))
    return () if any(wanted) else tuple(parts)


def _settle(state: State, command: SettleAllocation) -> Answers:
    """Take a part off its warehouse's shelves, shipped or not."""
    order_id, settled = command.order_id, command.fulfilment_id
    route = state.routes.get(order_id)
    if route is None or all([part.fulfilment_id != settled for part in route.outstanding]):  # noqa: C419  a generator costs more than it saves here
        again = _repeated(command, _standing(route), "settle")
        return (again, _left_anyhow(command)) if command.shipped and command.warehouse else (again,)
    return (
        AllocationSettled(
            order_id=order_id,
            at=command.at,
            to_state=SHIPPED if command.shipped else FREED,
            pool=command.pool,
            fulfilment_id=settled,
        ),
    )


def _left_anyhow(command: SettleAllocation) -> ShelfStocked:
    """Take a part's units off its shelf that was to stay there, and shipped."""
    units = tuple([SkuUnits(unit.sku, -unit.units) for unit in command.units])
    return ShelfStocked(
        order_id=command.order_id, at=command.at, pool=command.pool, warehouse=command.warehouse, units=units
    )


def _cancel(state: State, command: CancelRoute) -> Answers:
    """Ask for each part to be stopped that has not left."""
    order_id, at = command.order_id, command.at
    route = state.routes.get(order_id)
    inside = [part for part in (route.outstanding if route else ()) if not _is_out(state, part)]
    if route is None or route.state is not RouteState.ROUTED or not inside:
        return (_repeated(command, _standing(route), "cancel"),)
    requested = CancelRequested(
        order_id=order_id,
        at=at,
        from_state=RouteState.ROUTED,
        to_state=RouteState.CANCELLING,
        reason=command.reason,
    )
    stops = [
        CancelFulfilment(
            at=at,
            fulfilment_id=part.fulfilment_id,
            fulfilment=fulfilment_of(order_id, command.pool, part, route.parts),
            reason=command.reason,
        )
        for part in inside
        if part.fulfilment_id not in state.moves
    ]
    return requested, *stops


def _is_out(state: State, part: Part) -> bool:
    """Say whether a part was scanned out: its units are being consumed."""
    waiting = state.floor.get(part.fulfilment_id)
    return waiting is not None and waiting.is_out


def _standing(route: Route | None) -> str:
    if route is None:
        return NO_ROUTE
    return SETTLED if route.parts and not route.outstanding else route.state


def _repeated(command: RouteOrder | SettleAllocation | CancelRoute, standing: str, kind: str) -> RouteRepeated:
    return RouteRepeated(order_id=command.order_id, at=command.at, from_state=standing, to_state=standing, kind=kind)
