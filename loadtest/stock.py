"""The stock feed: warehouses, and goods for what will be asked for, except for a few SKUs that sell out.

A SKU's goods lie where its buyers are: each warehouse gets what the buyers nearest to it will order, and up to 30 %
more. A few SKUs lie in another warehouse as a whole, so that an order with one of them must be split; a few are scarce.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from loadtest.geography import POOLS, home, nearest_warehouse, warehouses
from pipeline.domain.commands import ReceiveStock, RegisterWarehouse
from pipeline.domain.orders import SkuUnits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

UNITS_PER_DEMANDED = (1.0, 1.3)
SCARCE_UNITS_PER_DEMANDED = 0.6
FEED_LINES_MAX = 500
"""The lines of one delivery."""

Demand = Counter[tuple[str, str, str]]
"""Units asked for by (pool, SKU, warehouse nearest to the buyer)."""


class StockPlan(NamedTuple):
    """Which of the (pool, SKU) pairs are different, of 1."""

    scarce_share: float = 0.03
    elsewhere_share: float = 0.02


class Wanted(NamedTuple):
    """What one order asks a pool for; a line with quantity 0 asks for nothing."""

    pool: str
    buyer: str
    units: Sequence[tuple[str, int]]


def demand(orders: Iterable[Wanted]) -> Demand:
    """Sum up what the orders ask for."""
    units: Demand = Counter()
    nearest: dict[tuple[str, str], str] = {}
    for pool, buyer, lines in orders:
        if (pool, buyer) not in nearest:
            nearest[pool, buyer] = nearest_warehouse(pool, home(buyer).place)
        warehouse = nearest[pool, buyer]
        for sku, quantity in lines:
            if quantity:
                units[pool, sku, warehouse] += quantity
    return units


def feed(wanted: Demand, plan: StockPlan, seed: int, at: int) -> Iterator[RegisterWarehouse | ReceiveStock]:
    """Give the commands that open the pools' warehouses and fill them; `at` is their time in milliseconds UTC."""
    for pool in POOLS:
        for warehouse, place in warehouses(pool).items():
            feed_id = f"open-{warehouse}"
            yield RegisterWarehouse(
                at=at,
                pool=pool,
                feed_id=feed_id,
                warehouse=warehouse,
                latitude=place.latitude,
                longitude=place.longitude,
            )
    for (pool, warehouse), shelf in sorted(shelves(wanted, plan, seed).items()):
        goods = sorted(shelf.items())
        for begin in range(0, len(goods), FEED_LINES_MAX):
            delivery = tuple(SkuUnits(sku, units) for sku, units in goods[begin : begin + FEED_LINES_MAX])
            feed_id = f"seed-{warehouse}-{begin}"
            yield ReceiveStock(at=at, pool=pool, feed_id=feed_id, warehouse=warehouse, units=delivery)


def shelves(wanted: Demand, plan: StockPlan, seed: int) -> dict[tuple[str, str], dict[str, int]]:
    """Give the units of each SKU on the shelves of each (pool, warehouse)."""
    chance = random.Random(seed)  # noqa: S311 - a choice to repeat, not a secret
    by_sku: dict[tuple[str, str], dict[str, int]] = {}
    for (pool, sku, warehouse), units in sorted(wanted.items()):
        by_sku.setdefault((pool, sku), {})[warehouse] = units
    stocked: dict[tuple[str, str], dict[str, int]] = {}
    for (pool, sku), regions in by_sku.items():
        for warehouse, units in _place(pool, regions, plan, chance).items():
            stocked.setdefault((pool, warehouse), {})[sku] = units
    return stocked


def _place(pool: str, regions: Mapping[str, int], plan: StockPlan, chance: random.Random) -> dict[str, int]:
    """Stock one SKU. A scarce one gets at least a unit: the pool must know it."""
    draw, ratio = chance.random(), chance.uniform(*UNITS_PER_DEMANDED)
    busiest = max(regions, key=lambda warehouse: (regions[warehouse], warehouse))
    total = sum(regions.values())
    if draw < plan.scarce_share:
        return {busiest: max(1, int(total * SCARCE_UNITS_PER_DEMANDED))}
    if draw < plan.scarce_share + plan.elsewhere_share:
        others = [warehouse for warehouse in warehouses(pool) if warehouse != busiest]
        return {chance.choice(others): math.ceil(total * ratio)}
    return {warehouse: math.ceil(units * ratio) for warehouse, units in regions.items()}
