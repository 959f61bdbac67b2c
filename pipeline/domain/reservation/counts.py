"""Counts of shelves: routing knows the shelves and is asked; what was wrong comes back as a correction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain import reasons
from pipeline.domain.events import NetworkFeedPassed, StockAdjusted
from pipeline.domain.orders import SkuUnits
from pipeline.domain.reservation.answers import Answers, refused_feed
from pipeline.domain.reservation.serving import serve_free
from pipeline.domain.reservation.values import EMPTY
from pipeline.domain.routing_commands import CountShelf, SettleCount

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.domain.reservation.state import State
    from pipeline.domain.stock_commands import CorrectStock, CountStock

COUNTED = "COUNTED"
"""The reason of a correction that a count asked for."""


def count(command: CountStock, warehouses: Collection[str]) -> Answers:
    """Hand a count on; `warehouses` are the pool's."""
    if command.warehouse not in warehouses:
        return (refused_feed(command, SkuUnits(command.sku, command.counted_units), reasons.UNKNOWN_WAREHOUSE),)
    return (
        NetworkFeedPassed(at=command.at, pool=command.pool, feed_id=command.feed_id, feed=type(command).__name__),
        CountShelf(
            at=command.at,
            pool=command.pool,
            feed_id=command.feed_id,
            warehouse=command.warehouse,
            sku=command.sku,
            counted_units=command.counted_units,
        ),
    )


def correct(state: State, command: CorrectStock) -> Answers:
    """Correct what is in stock, unless units that are held would go: then a person must decide what gives way."""
    at, pool = command.at, command.pool
    change = SkuUnits(command.sku, command.change_units)
    balance = state.stock.get(f"{pool}|{command.sku}", EMPTY)
    applied = balance.on_hand + command.change_units >= balance.held
    settled = SettleCount(at=at, pool=pool, feed_id=command.count_id, applied=applied)
    if not applied:
        return refused_feed(command, change, reasons.WOULD_TAKE_HELD_UNITS), settled
    adjusted = StockAdjusted(
        at=at,
        pool=pool,
        feed_id=command.feed_id,
        warehouse=command.warehouse,
        sku=command.sku,
        change_units=command.change_units,
        reason=COUNTED,
    )
    return adjusted, settled, *serve_free(state, at, pool, (change,))
