"""What reservation answers with, and what several of its answers need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain.commands import RequestReview
from pipeline.domain.events import HoldRepeated, StockFeedRefused, StockFeedRepeated
from pipeline.domain.notes import AddressNoted, BuyerNoted, HoldNoted
from pipeline.domain.order_commands import ConfirmCancel
from pipeline.domain.orders import SkuUnits
from pipeline.domain.reservation.state import Event
from pipeline.domain.routing_commands import RouteOrder, RoutingRequest
from pipeline.domain.stock_commands import OpenFlash

if TYPE_CHECKING:
    from pipeline.domain.commands import Command
    from pipeline.domain.network_commands import NetworkCommand
    from pipeline.domain.reservation.state import State
    from pipeline.domain.reservation.values import Pending
    from pipeline.domain.stock_commands import StockFeed

Answer = Event | HoldNoted | AddressNoted | BuyerNoted | RoutingRequest | RequestReview | ConfirmCancel
Answers = tuple[Answer, ...]


def repeated(command: Command, order_id: str, answer: str) -> HoldRepeated:
    """Say that nothing changed, and what became of it the first time."""
    return HoldRepeated(order_id=order_id, at=command.at, answer=answer)


def route(pending: Pending, order_id: str, at: int) -> RouteOrder:
    """Ask for the route of an order that waited."""
    return RouteOrder(
        at=at,
        pool=pending.pool,
        order_id=order_id,
        units=pending.units,
        ship_to=pending.ship_to,
        priority=pending.priority,
        values_minor=pending.values_minor,
        paid_minor=pending.paid_minor,
    )


def waiting_of(state: State, order_id: str, pending: Pending) -> tuple[SkuUnits, ...]:
    """Give the units that an order waits for, by SKU in the order of its units."""
    waits = [(unit.sku, state.waits.get(f"{order_id}|{unit.sku}")) for unit in pending.units]
    return tuple([SkuUnits(sku, wait.units) for sku, wait in waits if wait is not None])


def feed_id_of(command: StockFeed | NetworkCommand) -> str:
    """Give the id that a feed counts under."""
    return command.flash_id if isinstance(command, OpenFlash) else command.feed_id


def repeated_feed(command: StockFeed | NetworkCommand) -> StockFeedRepeated:
    """Say that a feed counted before."""
    return StockFeedRepeated(at=command.at, pool=command.pool, feed_id=feed_id_of(command))


def refused_feed(command: StockFeed, change: SkuUnits, reason: str) -> StockFeedRefused:
    """Say why a feed changes nothing, and what of it is wrong."""
    return StockFeedRefused(
        at=command.at,
        pool=command.pool,
        feed_id=feed_id_of(command),
        warehouse=getattr(command, "warehouse", ""),
        sku=change.sku,
        change_units=change.units,
        reason=reason,
    )
