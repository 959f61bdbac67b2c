"""What routing remembers, and how its events change that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

import msgspec

from pipeline.domain.errors import InvariantError
from pipeline.domain.events import CancelRequested
from pipeline.domain.orders import SkuUnits
from pipeline.domain.shipping_events import (
    AllocationSettled,
    OrderRouted,
    RouteFailed,
    RoutePart,
    RouteRepeated,
    ShelfStocked,
    WarehouseOpened,
)

if TYPE_CHECKING:
    from collections.abc import MutableMapping

SHIPPED = "shipped"
FREED = "freed"

Event = OrderRouted | RouteFailed | RouteRepeated | CancelRequested | AllocationSettled | ShelfStocked | WarehouseOpened


class Warehouse(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A warehouse and where it is, in degrees, WGS 84."""

    name: str
    latitude: float
    longitude: float


class Warehouses(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A pool's warehouses, in the order of their registration."""

    warehouses: tuple[Warehouse, ...]


class Shelf(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A SKU's units in one warehouse: so many are there, so many of them belong to routed orders.

    0 <= allocated always. A correction may leave fewer on hand than are allocated, even fewer than none, when what was
    counted away lay in another warehouse on paper; then nothing is free here until goods or corrections come. The pool
    as a whole never holds more than it has: reservation refuses a correction that would take held units.
    """

    on_hand: int
    allocated: int


EMPTY = Shelf(0, 0)


class RouteState(StrEnum):
    """What became of the request to route an order."""

    ROUTED = "routed"
    FAILED = "route_failed"
    CANCELLING = "cancelling"


class Part(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one warehouse is to ship of an order."""

    fulfilment_id: str
    warehouse: str
    units: tuple[SkuUnits, ...]


class Route(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order's route: how many parts it has, and those that are not settled."""

    state: RouteState
    parts: int = 0
    outstanding: tuple[Part, ...] = ()

    def is_settled(self) -> bool:
        """Say whether every part has shipped or was freed."""
        return not self.outstanding


@dataclass(frozen=True, slots=True)
class State:
    """`warehouses` by pool, `shelves` by `pool|warehouse|SKU`, `routes` by order id."""

    warehouses: MutableMapping[str, Warehouses]
    shelves: MutableMapping[str, Shelf]
    routes: MutableMapping[str, Route]


def evolve(state: State, event: Event) -> None:
    """Apply an event."""
    match event:
        case OrderRouted():
            parts = tuple([Part(part.fulfilment_id, part.warehouse, part.units) for part in event.parts])
            state.routes[event.order_id] = Route(RouteState.ROUTED, len(parts), parts)
            for part in event.parts:
                _allocate(state, event.pool, part)
        case RouteFailed():
            state.routes[event.order_id] = Route(RouteState.FAILED)
        case CancelRequested():
            route = state.routes[event.order_id]
            state.routes[event.order_id] = Route(RouteState.CANCELLING, route.parts, route.outstanding)
        case AllocationSettled():
            _settle(state, event)
        case ShelfStocked():
            prefix = f"{event.pool}|{event.warehouse}|"
            for unit in event.units:
                shelf = state.shelves.get(prefix + unit.sku, EMPTY)
                state.shelves[prefix + unit.sku] = Shelf(shelf.on_hand + unit.units, shelf.allocated)
        case WarehouseOpened():
            _open(state, event)
        case RouteRepeated():
            pass
        case _:
            assert_never(event)


def _allocate(state: State, pool: str, part: RoutePart) -> None:
    """Bind a part's units to its warehouse."""
    prefix, shelves = f"{pool}|{part.warehouse}|", state.shelves
    for unit in part.units:
        key = prefix + unit.sku
        shelf = shelves.get(key, EMPTY)
        allocated = shelf.allocated + unit.units
        if allocated > shelf.on_hand:
            message = f"{key}: {part.fulfilment_id} takes {unit.units} units of {shelf}"
            raise InvariantError(message)
        shelves[key] = Shelf(shelf.on_hand, allocated)


def _settle(state: State, event: AllocationSettled) -> None:
    """Undo a part's allocation; if it shipped, its units are gone as well."""
    route = state.routes[event.order_id]
    part = next(part for part in route.outstanding if part.fulfilment_id == event.fulfilment_id)
    left = tuple(other for other in route.outstanding if other is not part)
    state.routes[event.order_id] = Route(route.state, route.parts, left)
    prefix, shelves = f"{event.pool}|{part.warehouse}|", state.shelves
    shipped = event.to_state == SHIPPED
    for unit in part.units:
        key = prefix + unit.sku
        shelf = shelves[key]
        after = Shelf(shelf.on_hand - unit.units if shipped else shelf.on_hand, shelf.allocated - unit.units)
        if after.allocated < 0:
            message = f"{key}: {event.fulfilment_id} settles {unit.units} units of {shelf}"
            raise InvariantError(message)
        shelves[key] = after


def _open(state: State, event: WarehouseOpened) -> None:
    """Add a warehouse, or move it."""
    opened = Warehouse(event.warehouse, event.latitude, event.longitude)
    known = state.warehouses.get(event.pool, Warehouses(())).warehouses
    if any(warehouse.name == opened.name for warehouse in known):
        moved = tuple(opened if warehouse.name == opened.name else warehouse for warehouse in known)
        state.warehouses[event.pool] = Warehouses(moved)
    else:
        state.warehouses[event.pool] = Warehouses((*known, opened))
