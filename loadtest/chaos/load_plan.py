"""What the load of a chaos run consists of: a promotion by time, and what is kept for bursts and hostile floods."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from loadtest import stock
from loadtest.hostile import hostile_records
from loadtest.journey import Line, ShopOrder, read_journey
from loadtest.payloads import order_message
from loadtest.plan import wanted
from loadtest.promotion.feeds import ticks
from loadtest.promotion.making import Promotion, promote
from loadtest.promotion.making import Wish as Promoted
from loadtest.promotion.mix import Mix
from loadtest.scenario import Shares, TimedRecord, merge
from pipeline.domain.commands import ReceiveStock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from loadtest.promotion.feeds import Feed

BURST_PER_SECOND = 5_000
BURST_ORDERS_MAX = 2_500
BURSTS_SHARE_MAX = 1 / 3
"""Of all orders."""
HOT_SHARE = 0.8
"""Of a burst's orders so many want the same SKU of the same pool."""
HOT_STOCK_SHARE = 0.85
"""Of the units that the bursts want so many are there: the hot SKU sells out."""
HOT_BUYERS_FROM = 8_000_000_000
"""These buyers are no households of the data: an order of a burst is nobody's suspected duplicate."""
HOT_PRICE_MINOR = 499
HOSTILE_SHARE = 0.01
FLOOD_RECORDS = 60
"""Hostile records in one flood: each kind several times, one right after the other."""
MIX = Mix()
SHARES = Shares(unpaid=0.08, twice=0.04, out_of_order=0.04, cancelled=0.02)


class LoadPlan(msgspec.Struct, frozen=True):
    """What the generator sends: `base` by time; the others when it is told to."""

    base: list[TimedRecord]
    bursts: list[list[TimedRecord]]
    floods: list[list[TimedRecord]]


class Wish(NamedTuple):
    """What a load is made for: how many orders over how many seconds, with how many bursts and floods."""

    orders: int
    seconds: float
    bursts: int
    floods: int
    seed: int
    partitions: int = 4
    """How many each stage's input has."""


class Load(NamedTuple):
    """A load, the stock that it needs, and the shops' pools. `orders`: the different real orders in it."""

    plan: LoadPlan
    feed: Sequence[Feed]
    pools: dict[str, str]
    orders: int
    promotion: Promotion

    @property
    def deliveries(self) -> int:
        """Count the commands of the feed that bring goods."""
        return sum(isinstance(command, ReceiveStock) for command in self.feed)

    def feed_records(self) -> list[tuple[bytes, bytes]]:
        """Give the stock feed as (key, value) for stock.commands."""
        return [(command.pool.encode(), msgspec.json.encode(command)) for command in self.feed]


def burst_orders(wish: Wish) -> int:
    """Say how many orders one burst has."""
    return min(BURST_ORDERS_MAX, int(wish.orders * BURSTS_SHARE_MAX) // wish.bursts) if wish.bursts else 0


def make_load(wish: Wish, begin_ms: int) -> Load:
    """Make the load of a wish, its first order of `begin_ms` (ms UTC). Raises SettingsError for too many orders.

    Carriers report what happens now. Orders of years ago beside that would let years pass on the log, after which the
    stages rightly forget what is settled.
    """
    orders, pools = read_journey(wish.orders, wish.seed)
    size = burst_orders(wish)
    plain = orders[: len(orders) - size * wish.bursts]
    made = promote(plain, pools, Promoted(MIX, SHARES, len(plain) / wish.seconds, begin_ms, wish.seed, wish.partitions))
    heated = [order._replace(created_at=begin_ms + place) for place, order in enumerate(_heat(orders[len(plain) :]))]
    sprinkled = int(len(plain) * HOSTILE_SHARE)
    hostile = hostile_records(sprinkled + FLOOD_RECORDS * wish.floods, made.ordinary, wish.seconds, wish.seed)
    records = [record for record, _ in hostile]
    told = [*made.commands, *ticks(made.span, wish.partitions), *records[:sprinkled]]
    base = merge(made.records, told, len(plain) / wish.seconds).records
    bursts = [heated[begin : begin + size] for begin in range(0, len(heated), size)] if size else []
    floods = [records[begin : begin + FLOOD_RECORDS] for begin in range(sprinkled, len(records), FLOOD_RECORDS)]
    plan = LoadPlan(base, [_burst(burst) for burst in bursts], floods)
    stocked = [*made.stocked, *heated[: int(len(heated) * HOT_STOCK_SHARE)]]
    stocked += [order for _, order in hostile if order is not None]
    demand = stock.demand(wanted(order, pools) for order in stocked)
    feed = [*stock.feed(demand, stock.StockPlan(), wish.seed, begin_ms), *made.feed]
    return Load(plan, feed, pools, len(orders), made)


def _heat(orders: Sequence[ShopOrder]) -> Iterator[ShopOrder]:
    """Let most of the orders want one SKU, at the shop of the first; each from a buyer of its own."""
    hot = next((line.sku for order in orders for line in order.lines if line.quantity), "")
    for place, order in enumerate(orders):
        own = order._replace(buyer=str(HOT_BUYERS_FROM + place))
        if place % 10 >= HOT_SHARE * 10:
            yield own
        else:
            lines = (Line(hot, 1, HOT_PRICE_MINOR),)
            yield own._replace(
                shop_id=orders[0].shop_id,
                lines=lines,
                freight_minor=0,
                discount_seller_minor=0,
                discount_platform_minor=0,
            )


def _burst(orders: Sequence[ShopOrder]) -> list[TimedRecord]:
    """Give the records of a burst; their times count from its start."""
    return [
        TimedRecord(place / BURST_PER_SECOND, order.order_id.encode(), order_message(order, paid=True))
        for place, order in enumerate(orders)
    ]


def write_load(plan: LoadPlan, path: Path) -> None:
    """Write a load for the process that sends it."""
    path.write_bytes(msgspec.msgpack.encode(plan))


def read_load(path: Path) -> LoadPlan:
    """Read a load that was written."""
    return msgspec.msgpack.decode(path.read_bytes(), type=LoadPlan)
