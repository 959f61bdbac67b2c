"""A routing plan: what a pool's owner says of how warehouses are to be compared, as data.

Six strategies, combined by weights: nearest, region first, lowest cost, load balance, category → warehouse, customer
priority. All of it are whole numbers: the same plan gives the same scores on every machine.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import msgspec
from msgspec import Meta

from pipeline.domain.orders import Minor, Name, Text

WEIGHT_MAX = 1000
PLANNED_WAREHOUSES_MAX = 64
NAMES_MAX = 64
"""The regions, categories or lanes of one warehouse."""
WAVES_PER_DAY_MAX = 24
MINUTES_PER_DAY = 24 * 60
GRAMS_MAX = 10**9

Weight = Annotated[int, Meta(ge=0, le=WEIGHT_MAX)]
Names = Annotated[tuple[Text, ...], Meta(max_length=NAMES_MAX)]
MinuteOfDay = Annotated[int, Meta(ge=0, lt=MINUTES_PER_DAY)]
Count = Annotated[int, Meta(ge=0, le=10**9)]


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """How much each strategy counts; 0: not at all."""

    nearest: Weight = 1
    region: Weight = 0
    cost: Weight = 0
    load: Weight = 0
    category: Weight = 0
    priority: Weight = 0
    """How soon it arrives, for orders of a priority above 0."""


class Lane(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What a parcel to a province costs, in minor units."""

    province: Text
    parcel_minor: Minor


class PlannedWarehouse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be known of a warehouse beside its place; one that the plan does not name has the defaults."""

    name: Name
    city: Text = ""
    """A receiver in the same city gets it on the same day."""
    regions: Names = ()
    """The provinces that it serves first."""
    categories: Names = ()
    """The categories that it is the home of."""
    daily_parts_max: Count = 0
    """How many parts it takes a day while another can; 0: as many as come."""
    parcel_minor: Minor = 0
    minor_per_100_km: Minor = 0
    """What a parcel costs, and each 100 km of its way, where no lane says."""
    lanes: Annotated[tuple[Lane, ...], Meta(max_length=NAMES_MAX)] = ()


class RoutingPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pool's plan. Minutes are of the day, China time."""

    version: Name
    weights: Weights = Weights()
    warehouses: Annotated[tuple[PlannedWarehouse, ...], Meta(max_length=PLANNED_WAREHOUSES_MAX)] = ()
    water_line: Count = 0
    """A shelf with fewer free units of a SKU takes no new order while another warehouse can."""
    apart: Names = ()
    """The categories that ship in parcels of their own."""
    parcel_grams_max: Annotated[int, Meta(ge=0, le=GRAMS_MAX)] = 0
    """The weight of a parcel; 0: no limit. A single unit that is heavier ships alone."""
    wave_minutes: Annotated[tuple[MinuteOfDay, ...], Meta(max_length=WAVES_PER_DAY_MAX)] = ()
    """When the floor's waves begin; none: there are no waves."""
    wave_parts_max: Annotated[int, Meta(ge=1, le=10_000)] = 500
    """How many parts one warehouse picks in one wave."""
    express_priority: Annotated[int, Meta(ge=0, le=WEIGHT_MAX)] = 0
    """From this priority on an order waits for no wave; 0: every order does."""
    checks_items: bool = False
    """Whether every unit must be scanned before a parcel may leave."""
    cutoff_minute: MinuteOfDay = 17 * 60
    """What is routed before it leaves on the same day."""
    km_per_day: Annotated[int, Meta(ge=1, le=10_000)] = 800


class Product(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What routing must know of a SKU: its category, and the weight of a unit."""

    category: str = ""
    grams: int = 0


class SkuFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A SKU as a feed describes it."""

    sku: Annotated[str, Meta(min_length=1, max_length=1024)]
    category: Text = ""
    grams: Annotated[int, Meta(ge=0, le=GRAMS_MAX)] = 0


UNKNOWN_PRODUCT = Product()


def planned(plan: RoutingPlan) -> dict[str, PlannedWarehouse]:
    """Give a plan's warehouses by name."""
    return {warehouse.name: warehouse for warehouse in plan.warehouses}


def problem(plan: RoutingPlan) -> str:
    """Say what is wrong with a plan, naming the field; empty if nothing is."""
    named = Counter(warehouse.name for warehouse in plan.warehouses)
    twice = sorted(name for name, times in named.items() if times > 1)
    if twice:
        return f"warehouses: {twice[0]} is named twice"
    if list(plan.wave_minutes) != sorted(set(plan.wave_minutes)):
        return "wave_minutes: not in order"
    if len(set(plan.apart)) < len(plan.apart):
        return "apart: a category is named twice"
    for warehouse in plan.warehouses:
        if len({lane.province for lane in warehouse.lanes}) < len(warehouse.lanes):
            return f"warehouses: {warehouse.name} has two lanes to one province"
    return ""
