"""How a pool's warehouses compare for an order, by the plan in force.

Each strategy gives a warehouse a burden, a whole number, the less the better: tenths of a kilometre, 1 outside its
regions, the parcel's cost, permille of the day's parts that it has, units of a category that is at home elsewhere,
minutes until delivery. Of the candidates the least burden is worth 1000 points, the greatest 0, and those between in
proportion, rounded down; where all are equal, each is worth 1000. The score is the sum of points times weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.domain.local_time import MINUTE_MS, day_of, minute_of, moment
from pipeline.domain.routing.plan import UNKNOWN_PRODUCT, PlannedWarehouse, RoutingPlan, planned
from pipeline.domain.routing.regions import distance_km, province_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.domain.orders import SkuUnits
    from pipeline.domain.routing.values import State, Warehouse

POINTS_MAX = 1000
DELIVERED_BY_MINUTE = 20 * 60
UNKNOWN_WAY_DAYS = 7
"""How long a parcel takes to a province that nobody knows."""
FULL, CLOSED = "full", "closed"


class Wanted(NamedTuple):
    """What is to be routed, and where to."""

    pool: str
    units: Sequence[SkuUnits]
    province: str
    city: str
    priority: int
    at: int


class Candidate(NamedTuple):
    """A warehouse as it compares: `free` has the units of each line that it has, whoever wants them."""

    name: str
    distance_km: float
    free: tuple[int, ...]
    points: tuple[int, ...]
    score: int
    cost_minor: int
    deliver_by: int
    standing: str
    same_city: bool


class _Ground(NamedTuple):
    """What every candidate is compared on."""

    state: State
    wanted: Wanted
    plan: RoutingPlan
    abroad: Mapping[str, int]
    """The wanted units by category, of the categories that are at home anywhere."""


def compared(state: State, wanted: Wanted, plan: RoutingPlan) -> list[Candidate]:
    """Compare all of the pool's warehouses: the nearest first, of equally near ones the one that registered first."""
    known = state.warehouses.get(wanted.pool)
    if known is None:
        return []
    names = planned(plan)
    sites = [
        (distance_km(wanted.province, warehouse.latitude, warehouse.longitude), warehouse)
        for warehouse in known.warehouses
    ]
    sites.sort(key=_distance)
    warehouses = [names.get(warehouse.name) or PlannedWarehouse(name=warehouse.name) for _, warehouse in sites]
    ground = _Ground(state, wanted, plan, _abroad(state, wanted, plan))
    burdens = [_burdens(ground, warehouse, km) for (km, _), warehouse in zip(sites, warehouses, strict=True)]
    points = list(zip(*map(_points, zip(*burdens, strict=True)), strict=True))
    weights = _weights(plan)
    return [
        Candidate(
            name=warehouse.name,
            distance_km=km,
            free=_free(state, wanted, warehouse.name),
            points=won,
            score=sum(weight * point for weight, point in zip(weights, won, strict=True)),
            cost_minor=_cost(warehouse, wanted.province, km),
            deliver_by=deliver_by(wanted, plan, warehouse, km),
            standing=_standing(state, wanted, warehouse),
            same_city=bool(warehouse.city) and warehouse.city == wanted.city,
        )
        for (km, _), warehouse, won in zip(sites, warehouses, points, strict=True)
    ]


def _distance(site: tuple[float, Warehouse]) -> float:
    return site[0]


def _weights(plan: RoutingPlan) -> tuple[int, ...]:
    weights = plan.weights
    return weights.nearest, weights.region, weights.cost, weights.load, weights.category, weights.priority


def _burdens(ground: _Ground, warehouse: PlannedWarehouse, km: float) -> tuple[int, ...]:
    state, wanted, plan, abroad = ground
    province = province_key(wanted.province)
    return (
        _tenths(km),
        0 if any(province_key(region) == province for region in warehouse.regions) else 1,
        _cost(warehouse, wanted.province, km),
        _load(state, wanted, warehouse),
        sum(units for category, units in abroad.items() if category not in warehouse.categories),
        deliver_by(wanted, plan, warehouse, km) // MINUTE_MS if wanted.priority > 0 else 0,
    )


def _points(burdens: Sequence[int]) -> list[int]:
    best, worst = min(burdens), max(burdens)
    if best == worst:
        return [POINTS_MAX] * len(burdens)
    return [POINTS_MAX * (worst - burden) // (worst - best) for burden in burdens]


def _abroad(state: State, wanted: Wanted, plan: RoutingPlan) -> dict[str, int]:
    homes = {category for warehouse in plan.warehouses for category in warehouse.categories}
    units: dict[str, int] = {}
    for unit in wanted.units:
        category = state.products.get(f"{wanted.pool}|{unit.sku}", UNKNOWN_PRODUCT).category
        if category in homes:
            units[category] = units.get(category, 0) + unit.units
    return units


def _tenths(km: float) -> int:
    return max(0, round(km * 10))


def _cost(warehouse: PlannedWarehouse, province: str, km: float) -> int:
    key = province_key(province)
    for lane in warehouse.lanes:
        if province_key(lane.province) == key:
            return lane.parcel_minor
    return warehouse.parcel_minor + warehouse.minor_per_100_km * _tenths(km) // 1000


def _load(state: State, wanted: Wanted, warehouse: PlannedWarehouse) -> int:
    """Give the permille of the day's parts that a warehouse has; where the plan sets it no number, 0."""
    if not warehouse.daily_parts_max:
        return 0
    return 1000 * _parts_today(state, wanted, warehouse) // warehouse.daily_parts_max


def _parts_today(state: State, wanted: Wanted, warehouse: PlannedWarehouse) -> int:
    load = state.loads.get(f"{wanted.pool}|{warehouse.name}")
    return load.parts if load is not None and load.day >= day_of(wanted.at) else 0


def _standing(state: State, wanted: Wanted, warehouse: PlannedWarehouse) -> str:
    if f"{wanted.pool}|{warehouse.name}" in state.closures:
        return CLOSED
    limit = warehouse.daily_parts_max
    return FULL if limit and _parts_today(state, wanted, warehouse) >= limit else ""


def _free(state: State, wanted: Wanted, warehouse: str) -> tuple[int, ...]:
    prefix, get = f"{wanted.pool}|{warehouse}|", state.shelves.get
    shelves = [get(prefix + unit.sku) for unit in wanted.units]
    return tuple([0 if shelf is None else max(0, shelf.on_hand - shelf.allocated) for shelf in shelves])


def deliver_by(wanted: Wanted, plan: RoutingPlan, warehouse: PlannedWarehouse, km: float) -> int:
    """Give when a parcel should have arrived: by 20:00 on the day that its way takes it to, ms UTC.

    It leaves on the day that it is routed, before the cut-off, else on the next. Within a city it takes no day.
    """
    day = day_of(wanted.at) + (minute_of(wanted.at) >= plan.cutoff_minute)
    if warehouse.city and warehouse.city == wanted.city:
        return moment(day, DELIVERED_BY_MINUTE)
    days = UNKNOWN_WAY_DAYS if km < 0 else 1 + _tenths(km) // (10 * plan.km_per_day)
    return moment(day + days, DELIVERED_BY_MINUTE)
