"""What a flash sale consists of: its buyers' orders, the stock behind it, and the orders that look for what is left."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

import orjson

from loadtest.geography import warehouses
from loadtest.journey import CHANNEL, Line, ShopOrder
from loadtest.oracle.asked import order_id_of
from loadtest.payloads import order_fields
from loadtest.scenario import LATER_SECONDS, Scenario, TimedRecord
from pipeline.domain.commands import ReceiveStock, RegisterWarehouse
from pipeline.domain.orders import SkuUnits
from pipeline.domain.stock_commands import OpenFlash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.domain.commands import Command

POOL = "shanghai"
SHOP = "flash-shop"
SKU = "flash-sku"
FLASH_ID = "the-flash-sale"
PRICE_MINOR = 9_900
BUYERS_FROM = 7_000_000_000
"""No households of the data."""
SALE_MS = 30 * 60_000
"""How long the sale is open; it ended a minute before the run begins, so that a tick of now closes it."""
ENDED_MS = 60_000
RESERVE_SHARE = 0.1
"""Beside the flash sale's units so many of them stay in stock."""
GREEDY, LATE = "greedy", "late"


class Wish(NamedTuple):
    """How many buyers want one unit each of how many, at which rate, and which shares of them do more than that."""

    buyers: int
    units: int
    rate_per_second: float
    resubmitted_share: float
    """Their shop sends the order twice."""
    again_share: float
    """They order a second time, under another id."""
    seed: int


class Sale(NamedTuple):
    """A planned sale. `buyer_of` gives each order's buyer, by the order's id; times in milliseconds UTC."""

    wish: Wish
    scenario: Scenario
    buyer_of: dict[str, str]
    opens_at: int
    closes_at: int

    @property
    def accepted(self) -> int:
        """Say how many orders the sale must accept: a unit for each buyer, as long as there are any."""
        return min(self.wish.buyers, self.wish.units)

    @property
    def reserve(self) -> int:
        """Say how many units stay in stock beside the sale's."""
        return max(1, int(self.wish.units * RESERVE_SHARE))

    @property
    def left(self) -> int:
        """Say how many units must be in stock when the sale is over."""
        return self.reserve + self.wish.units - self.accepted

    def feed(self) -> Iterator[Command]:
        """Give the commands that stock the warehouses, and open the sale: the units go from one sub-pool to another."""
        at = self.opens_at
        places = warehouses(POOL)
        whole, odd = divmod(self.wish.units + self.reserve, len(places))
        for number, (warehouse, place) in enumerate(places.items()):
            yield RegisterWarehouse(
                at=at,
                pool=POOL,
                feed_id=f"open-{warehouse}",
                warehouse=warehouse,
                latitude=place.latitude,
                longitude=place.longitude,
            )
            share = (SkuUnits(SKU, whole + (number < odd)),)
            if share[0].units:
                yield ReceiveStock(at=at, pool=POOL, feed_id=f"seed-{warehouse}", warehouse=warehouse, units=share)
        yield OpenFlash(
            at=at,
            pool=POOL,
            flash_id=FLASH_ID,
            sku=SKU,
            units=self.wish.units,
            opens_at=at,
            closes_at=self.closes_at,
        )

    def probe(self) -> Scenario:
        """Give the orders that prove the remainder: one of all that must be in stock by now, and one of a unit more."""
        records = []
        for number, (name, units) in enumerate(((GREEDY, self.left), (LATE, 1))):
            order = _order(name, BUYERS_FROM - 1 - number, self.closes_at + number, units)
            # One key: ingest reads them one after the other.
            records.append(TimedRecord(0.0, b"probe", orjson.dumps(order_fields(order, paid=True))))
        return Scenario(records, 1.0)


def plan_sale(wish: Wish, now_ms: int) -> Sale:
    """Plan a sale that ended just before `now_ms`, in milliseconds UTC."""
    closes_at = now_ms - ENDED_MS
    opens_at = closes_at - SALE_MS
    chance = random.Random(wish.seed)  # noqa: S311 - a choice to repeat, not a secret
    records: list[TimedRecord] = []
    buyer_of: dict[str, str] = {}
    for place in range(wish.buyers):
        buyer, at_seconds = BUYERS_FROM + place, place / wish.rate_per_second
        at = opens_at + place * (SALE_MS - 1) // wish.buyers
        record = _record(_order(f"flash-{place}", buyer, at, 1), at_seconds)
        records.append(record)
        buyer_of[order_id(f"flash-{place}")] = str(buyer)
        later = at_seconds + chance.uniform(*LATER_SECONDS)
        if chance.random() < wish.resubmitted_share:
            records.append(TimedRecord(later, record.key, record.value))
        if chance.random() < wish.again_share:
            name = f"flash-{place}-again"
            records.append(_record(_order(name, buyer, at, 1), later))
            buyer_of[order_id(name)] = str(buyer)
    records.sort(key=lambda record: record.offset_seconds)
    return Sale(wish, Scenario(records, wish.rate_per_second), buyer_of, opens_at, closes_at)


def order_id(name: str) -> str:
    """Give an order's id by the name that the shop has for it."""
    return order_id_of(CHANNEL, SHOP, name)


def _order(name: str, buyer: int, at: int, units: int) -> ShopOrder:
    return ShopOrder(name, SHOP, str(buyer), at, (Line(SKU, units, PRICE_MINOR),), 0, 0, 0)


def _record(order: ShopOrder, at_seconds: float) -> TimedRecord:
    fields = order_fields(order, paid=True) | {"sub_pool": "flash"}
    return TimedRecord(at_seconds, order.order_id.encode(), orjson.dumps(fields))
