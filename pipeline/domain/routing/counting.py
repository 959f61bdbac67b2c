"""Counts of shelves, while orders are being picked.

Nobody knows of a routed order's units whether they still lay on the shelf when it was counted: they may have been in a
parcel already, or gone. So a count is right anywhere between what no order has and all that the books have, and only
what lies beyond is corrected. A correction that is on its way counts as made, so a second count does not ask again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain.routing.values import EMPTY, Count, Shelf
from pipeline.domain.routing_events import CountSettled, ShelfCounted
from pipeline.domain.shipping_events import RouteRepeated
from pipeline.domain.stock_commands import CorrectStock

if TYPE_CHECKING:
    from pipeline.domain.routing.values import State
    from pipeline.domain.routing_commands import CountShelf, SettleCount

KIND = "count"


def counted(state: State, command: CountShelf) -> tuple[ShelfCounted | RouteRepeated | CorrectStock, ...]:
    """Compare a count with the books, and ask for the difference."""
    at, pool, warehouse, sku = command.at, command.pool, command.warehouse, command.sku
    if f"{pool}|{command.feed_id}" in state.counts:
        return (RouteRepeated(at=at, kind=KIND),)
    shelf = state.shelves.get(f"{pool}|{warehouse}|{sku}", EMPTY)
    under_way = [
        count.change_units
        for key, count in state.counts.items()
        if key.startswith(f"{pool}|") and (count.warehouse, count.sku) == (warehouse, sku)
    ]
    most = shelf.on_hand + sum(under_way)
    least, found = most - shelf.allocated, command.counted_units
    change = found - most if found > most else min(found - least, 0)
    told = ShelfCounted(
        at=at,
        pool=pool,
        feed_id=command.feed_id,
        warehouse=warehouse,
        sku=sku,
        counted_units=found,
        least_units=least,
        most_units=most,
        change_units=change,
    )
    if not change:
        return (told,)
    correct = CorrectStock(
        at=at,
        pool=pool,
        feed_id=f"count|{command.feed_id}",
        count_id=command.feed_id,
        warehouse=warehouse,
        sku=sku,
        change_units=change,
    )
    return told, correct


def settled(state: State, command: SettleCount) -> CountSettled | RouteRepeated:
    """Take note of what became of a correction."""
    count = state.counts.get(f"{command.pool}|{command.feed_id}")
    if count is None:
        return RouteRepeated(at=command.at, kind=KIND)
    return CountSettled(
        at=command.at,
        pool=command.pool,
        feed_id=command.feed_id,
        warehouse=count.warehouse,
        sku=count.sku,
        change_units=count.change_units,
        applied=command.applied,
    )


def evolve_count(state: State, event: ShelfCounted | CountSettled) -> None:
    """Apply an event."""
    key = f"{event.pool}|{event.feed_id}"
    if isinstance(event, ShelfCounted):
        if event.change_units:
            state.counts[key] = Count(event.warehouse, event.sku, event.change_units)
        return
    state.counts.pop(key)
    if event.applied:
        shelf_key = f"{event.pool}|{event.warehouse}|{event.sku}"
        shelf = state.shelves.get(shelf_key, EMPTY)
        state.shelves[shelf_key] = Shelf(shelf.on_hand + event.change_units, shelf.allocated)
