"""What routing remembers, and how its events change that."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from pipeline.domain.events import CancelRequested
from pipeline.domain.routing.counting import evolve_count
from pipeline.domain.routing.floor_state import FloorEvent, evolve_floor, give_up_move
from pipeline.domain.routing.plan import Product
from pipeline.domain.routing.values import (
    EMPTY,
    ROUTED,
    FloorPart,
    Route,
    RouteState,
    Shelf,
    State,
    Warehouse,
    Warehouses,
    allocate,
    count_part,
    free,
    put_part,
    remembered,
)
from pipeline.domain.routing_events import CountSettled, PlanAdopted, ProductsNoted, ShelfCounted, WarehouseClosed
from pipeline.domain.shipping_events import (
    AllocationSettled,
    OrderRouted,
    RouteFailed,
    RouteRepeated,
    ShelfStocked,
    WarehouseOpened,
)

if TYPE_CHECKING:
    from pipeline.domain.notes import AddressNoted

__all__ = ["FREED", "SHIPPED", "Event", "State", "evolve"]

SHIPPED = "shipped"
FREED = "freed"

Event = (
    OrderRouted
    | RouteFailed
    | RouteRepeated
    | CancelRequested
    | AllocationSettled
    | ShelfStocked
    | ShelfCounted
    | CountSettled
    | WarehouseOpened
    | WarehouseClosed
    | PlanAdopted
    | ProductsNoted
    | FloorEvent
)


def evolve(state: State, event: Event | AddressNoted) -> None:
    """Apply an event."""
    match event:
        case OrderRouted():
            parts = tuple([remembered(part) for part in event.parts])
            state.routes[event.order_id] = Route(ROUTED, len(parts), parts)
            for part in event.parts:
                allocate(state, event.pool, part)
            if event.rule_version is not None:
                _enter(state, event)
        case RouteFailed():
            state.routes[event.order_id] = Route(RouteState.FAILED)
        case CancelRequested():
            route = state.routes[event.order_id]
            state.routes[event.order_id] = Route(RouteState.CANCELLING, route.parts, route.outstanding)
        case AllocationSettled():
            _settle(state, event)
        case RouteRepeated():
            pass
        case ShelfCounted() | CountSettled():
            evolve_count(state, event)
        case ShelfStocked() | WarehouseOpened() | WarehouseClosed() | PlanAdopted() | ProductsNoted():
            _evolve_network(state, event)
        case _:
            evolve_floor(state, event)


def _evolve_network(
    state: State, event: ShelfStocked | WarehouseOpened | WarehouseClosed | PlanAdopted | ProductsNoted
) -> None:
    """Apply an event about the network."""
    match event:
        case ShelfStocked():
            prefix = f"{event.pool}|{event.warehouse}|"
            for unit in event.units:
                shelf = state.shelves.get(prefix + unit.sku, EMPTY)
                state.shelves[prefix + unit.sku] = Shelf(shelf.on_hand + unit.units, shelf.allocated)
        case WarehouseOpened():
            _open(state, event)
            state.closures.pop(f"{event.pool}|{event.warehouse}", None)
        case WarehouseClosed():
            state.closures.setdefault(f"{event.pool}|{event.warehouse}", event.at)
        case PlanAdopted():
            state.plans[event.pool] = event.plan
        case ProductsNoted():
            for sku in event.skus:
                state.products[f"{event.pool}|{sku.sku}"] = Product(sku.category, sku.grams)
        case _:
            assert_never(event)


def _settle(state: State, event: AllocationSettled) -> None:
    """Undo a part's allocation; if it shipped, its units are gone as well."""
    route = state.routes[event.order_id]
    (part,) = [part for part in route.outstanding if part.fulfilment_id == event.fulfilment_id]
    left = tuple([other for other in route.outstanding if other is not part])
    state.routes[event.order_id] = Route(route.state, route.parts, left)
    give_up_move(state, event.pool, part)
    put_part(state, part.fulfilment_id, None)
    if not left:
        state.addresses.pop(event.order_id, None)
    free(state, event.pool, part, shipped=event.to_state == SHIPPED)


def _open(state: State, event: WarehouseOpened) -> None:
    """Add a warehouse, or move it."""
    opened = Warehouse(event.warehouse, event.latitude, event.longitude)
    known = state.warehouses.get(event.pool, Warehouses(())).warehouses
    if any(warehouse.name == opened.name for warehouse in known):
        moved = tuple(opened if warehouse.name == opened.name else warehouse for warehouse in known)
        state.warehouses[event.pool] = Warehouses(moved)
    else:
        state.warehouses[event.pool] = Warehouses((*known, opened))


def _enter(state: State, event: OrderRouted) -> None:
    """Count an order's parts in their warehouses' day, and put them on the floor."""
    for part in event.parts:
        count_part(state, event.pool, part.warehouse, event.at)
        waiting = FloorPart(event.pool, part.warehouse, event.at, part.priority, part.same_city)
        put_part(state, part.fulfilment_id, waiting)
