"""What came of stock feeds: read from ClickHouse, which has each answer a second or so after it was given."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sinks.store import StoreRefusedError, open_store

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipeline.settings import Settings
    from sinks.store import Store

POLL_SECONDS = 0.25
REFUSED = "StockFeedRefused"
ANSWERS = "SELECT pool, feed_id, answer, warehouse, sku, change_units, reason FROM stock_feeds"
Key = tuple[str, str]
"""A pool and a feed id."""
Answer = tuple[str, str, str, int, str]
"""The event, the warehouse, the SKU, the units, the reason."""


def tell_results(settings: Settings, feeds: Sequence[Key], wait_seconds: float) -> int:
    """Print what was answered, waiting for it a while. Gives 0 if all of it was taken, else 1. Raises HoldfastError."""
    store = open_store(settings.clickhouse)
    try:
        found = _wait(store, feeds, time.monotonic() + wait_seconds)
    finally:
        store.close()
    refused = [key for key in feeds if found.get(key, (REFUSED,))[0] == REFUSED]
    for pool, feed_id in feeds if len(feeds) == 1 else refused:
        print(f"{pool}: {feed_id}: {as_text(found.get((pool, feed_id)))}")
    if len(feeds) > 1:
        print(f"{len(feeds) - len(refused)} taken, {len(refused)} refused or not answered yet")
    return 1 if refused else 0


def _wait(store: Store, feeds: Sequence[Key], deadline: float) -> dict[Key, Answer]:
    wanted = set(feeds)
    while True:
        rows = _read(store, wanted, deadline)
        if len(rows) == len(wanted) or time.monotonic() >= deadline:
            return rows
        time.sleep(POLL_SECONDS)


def _read(store: Store, wanted: Collection[Key], deadline: float) -> dict[Key, Answer]:
    """Read the answers there are; none while the sink has not made its tables yet. Raises HoldfastError."""
    try:
        return {(pool, feed_id): (*rest,) for pool, feed_id, *rest in store.query(ANSWERS) if (pool, feed_id) in wanted}
    except StoreRefusedError:
        if time.monotonic() >= deadline:
            raise
        return {}


def as_text(answer: Answer | None) -> str:
    """Say what an answer means."""
    if answer is None:
        return "not answered, or not stored yet"
    name, warehouse, sku, units, reason = answer
    if name != REFUSED:
        return name
    of_warehouse = f" in warehouse {warehouse}" if warehouse else ""
    about = f" (SKU {sku}, {units} units{of_warehouse})" if sku else of_warehouse
    return f"refused: {reason}{about}"
