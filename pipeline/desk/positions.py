"""Which goods should be moved ahead of their orders: a suggestion, from what sold near each warehouse and what it has.

A warehouse needs the daily average of what the receivers nearest to it ordered in the last 14 days, times the days that
are to be covered. What it lacks may come from warehouses that have more than they need themselves, the one with the
most first. Nothing is moved by this: people decide, and say so as a receipt and a correction.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from pipeline.desk.showing import show_table
from sinks.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.settings import Settings

COVER_DAYS_MAX = 90
SOLD = "SELECT pool, sku, warehouse, units FROM demand_near"
FREE = "SELECT pool, sku, warehouse, free_units FROM shelves"
DAYS = 14
"""What the view `demand_near` looks at."""
Place = tuple[str, str, str]
"""A pool, a SKU, a warehouse."""


class Move(NamedTuple):
    """So many units to be moved to a warehouse that needs `needs_units` for the days, and has `has_units` free."""

    pool: str
    sku: str
    from_warehouse: str
    to_warehouse: str
    units: int
    needs_units: int
    has_units: int


def suggest(sold: Mapping[Place, int], free: Mapping[Place, int], cover_days: int) -> Iterator[Move]:
    """Give the moves, by pool and SKU, the neediest warehouse first. `sold` are the units of DAYS days."""
    for pool, sku in sorted({place[:2] for place in sold}):
        warehouses = sorted({place[2] for place in (*sold, *free) if place[:2] == (pool, sku)})
        needs = {name: -(-sold.get((pool, sku, name), 0) * cover_days // DAYS) for name in warehouses}
        has = {name: max(free.get((pool, sku, name), 0), 0) for name in warehouses}
        spare = {name: has[name] - needs[name] for name in warehouses}
        for needy in sorted(warehouses, key=lambda name: (spare[name], name)):
            for giver in sorted(warehouses, key=lambda name: (-spare[name], name)):
                units = min(-spare[needy], spare[giver])
                if units <= 0:
                    break
                spare[giver] -= units
                spare[needy] += units
                yield Move(pool, sku, giver, needy, units, needs[needy], has[needy])


def show_suggestions(settings: Settings, cover_days: int, *, as_json: bool) -> int:
    """Print what should be moved, by what is stored. Gives 0. Raises HoldfastError."""
    store = open_store(settings.clickhouse)
    try:
        sold, free = ({(pool, sku, name): units for pool, sku, name, units in store.query(one)} for one in (SOLD, FREE))
    finally:
        store.close()
    moves = list(suggest(sold, free, cover_days))
    if as_json:
        print(json.dumps([move._asdict() for move in moves], ensure_ascii=False))
    else:
        show_table(("pool", "SKU", "from", "to", "units", f"needs in {cover_days} days", "has"), moves)
    return 0
