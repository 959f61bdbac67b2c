"""The values that routing remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.domain.errors import InvariantError
from pipeline.domain.local_time import day_of
from pipeline.domain.orders import ShipTo, SkuUnits
from pipeline.domain.routing.regions import distance_km
from pipeline.domain.shipping_events import RoutePart

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from pipeline.domain.routing.plan import Product, RoutingPlan


class Warehouse(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A warehouse and where it is, in degrees, WGS 84."""

    name: str
    latitude: float
    longitude: float


class Warehouses(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A pool's warehouses, in the order of their registration."""

    warehouses: tuple[Warehouse, ...]


class Site(NamedTuple):
    """A warehouse as an order sees it: how far it is in kilometres, and its shelves' key, but for the SKU."""

    name: str
    distance_km: float
    shelves: str


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


ROUTED = RouteState.ROUTED
SITES_MAX = 65_536


class Part(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one warehouse is to ship of an order, what each of its units is worth, and its share of what was paid."""

    fulfilment_id: str
    warehouse: str
    units: tuple[SkuUnits, ...]
    values_minor: tuple[int, ...] = ()
    paid_minor: int = 0


class Route(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order's route: how many parts it has, and those that are not settled."""

    state: RouteState
    parts: int = 0
    outstanding: tuple[Part, ...] = ()

    def is_settled(self) -> bool:
        """Say whether every part has shipped or was freed."""
        return not self.outstanding


class Load(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How many parts a warehouse was given on a day (since 1970, China time); counted under a plan only."""

    day: int
    parts: int


NO_LOAD = Load(0, 0)


class FloorPart(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A part that waits in its warehouse, or is being picked; known of pools with a plan, until the part is settled."""

    pool: str
    warehouse: str
    at: int
    """When it was routed, ms UTC."""
    priority: int = 0
    same_city: bool = False
    wave: str = ""
    """The wave that it is picked in; empty: it waits for one."""
    scanned: tuple[SkuUnits, ...] = ()
    is_out: bool = False
    """It was scanned out: it is not in the warehouse any more."""
    stays: bool = False
    """Its carrier has it, and did not give it back: it is not sent from elsewhere."""


class Move(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A part that is to be sent again, from elsewhere or to elsewhere, as soon as it is certain that it has not left.

    Its units are allocated in the new warehouses by then, and in the old one still.
    """

    parts: tuple[RoutePart, ...]
    """What takes its place."""
    reason: str


class Count(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A correction that a count asked for, and that is on its way: it is not in the shelf yet."""

    warehouse: str
    sku: str
    change_units: int


class Sites:
    """Where a pool's warehouses are from a province: worked out when it is first asked for, and again when they change.

    A derived index: provinces are what platforms write, so it begins anew where they are too many.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[Warehouses, tuple[Site, ...]]] = {}

    def of(self, pool: str, warehouses: Warehouses, province: str) -> tuple[Site, ...]:
        """Give the warehouses, the nearest first; of equally near ones the one that registered first."""
        known = self._known.get((pool, province))
        if known is not None and known[0] is warehouses:
            return known[1]
        sites = [
            Site(one.name, distance_km(province, one.latitude, one.longitude), f"{pool}|{one.name}|")
            for one in warehouses.warehouses
        ]
        sites.sort(key=_distance)
        if len(self._known) >= SITES_MAX:
            self._known.clear()
        self._known[pool, province] = warehouses, tuple(sites)
        return tuple(sites)


def _distance(site: Site) -> float:
    return site.distance_km


class Present:
    """Which parts of `floor` are in which warehouse: built when it is first asked for, and kept up from there on."""

    __slots__ = ("_by_warehouse",)

    def __init__(self) -> None:
        self._by_warehouse: dict[str, set[str]] | None = None

    def of(self, floor: Mapping[str, FloorPart], key: str) -> list[str]:
        """Give the parts in `pool|warehouse`, in the order of their ids."""
        if self._by_warehouse is None:
            self._by_warehouse = {}
            for name, part in floor.items():
                self._by_warehouse.setdefault(place_of(part), set()).add(name)
        return sorted(self._by_warehouse.get(key, ()))

    def change(self, name: str, before: FloorPart | None, after: FloorPart | None) -> None:
        """Keep up with a change of `floor`."""
        if self._by_warehouse is None:
            return
        if before is not None:
            self._by_warehouse[place_of(before)].discard(name)
        if after is not None:
            self._by_warehouse.setdefault(place_of(after), set()).add(name)


def place_of(part: FloorPart) -> str:
    """Give the `pool|warehouse` that a part is in."""
    return f"{part.pool}|{part.warehouse}"


@dataclass(frozen=True, slots=True)
class State:
    """What routing remembers.

    `warehouses` and `plans` by pool, `shelves` by `pool|warehouse|SKU`, `routes` by order id, `products` by
    `pool|SKU`; `loads`, `closures` (since when, ms UTC) and `waves` (the newest one's time) by `pool|warehouse`;
    `floor` and `moves` by fulfilment id, `addresses` by order id, `counts` by `pool|feed id`. `present` is an index,
    derived from `floor`, and `sites` one from `warehouses`.
    """

    warehouses: MutableMapping[str, Warehouses]
    shelves: MutableMapping[str, Shelf]
    routes: MutableMapping[str, Route]
    plans: MutableMapping[str, RoutingPlan]
    products: MutableMapping[str, Product]
    loads: MutableMapping[str, Load]
    closures: MutableMapping[str, int]
    floor: MutableMapping[str, FloorPart]
    moves: MutableMapping[str, Move]
    addresses: MutableMapping[str, ShipTo]
    waves: MutableMapping[str, int]
    counts: MutableMapping[str, Count]
    present: Present = field(init=False, default_factory=Present)
    sites: Sites = field(init=False, compare=False, default_factory=Sites)


def put_part(state: State, name: str, part: FloorPart | None) -> None:
    """Put a part on the floor, or take it off, and keep the index up."""
    before = state.floor.get(name)
    state.present.change(name, before, part)
    if part is not None:
        state.floor[name] = part
    elif before is not None:
        state.floor.pop(name)


def remembered(part: RoutePart) -> Part:
    """Give what routing remembers of a part, until it is settled."""
    return Part(part.fulfilment_id, part.warehouse, part.units, part.values_minor, part.paid_minor)


def allocate(state: State, pool: str, part: Part | RoutePart) -> None:
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


def free(state: State, pool: str, part: Part | RoutePart, *, shipped: bool) -> None:
    """Undo a part's allocation; if it shipped, its units are gone as well."""
    prefix, shelves = f"{pool}|{part.warehouse}|", state.shelves
    for unit in part.units:
        key = prefix + unit.sku
        shelf = shelves[key]
        after = Shelf(shelf.on_hand - unit.units if shipped else shelf.on_hand, shelf.allocated - unit.units)
        if after.allocated < 0:
            message = f"{key}: {part.fulfilment_id} settles {unit.units} units of {shelf}"
            raise InvariantError(message)
        shelves[key] = after


def count_part(state: State, pool: str, warehouse: str, at: int) -> None:
    """Count a part in its warehouse's day; one that is told late counts in the newest day."""
    key, day = f"{pool}|{warehouse}", day_of(at)
    before = state.loads.get(key, NO_LOAD)
    state.loads[key] = Load(day, 1) if day > before.day else Load(before.day, before.parts + 1)
