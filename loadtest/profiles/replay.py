"""Recorded orders as a plan: what they ask for is put on the shelves of pools that their shops are given."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from loadtest import stock
from loadtest.invoices import SHOP
from loadtest.journey import spread_shops
from loadtest.oracle.asked import ask
from loadtest.plan import Plan
from loadtest.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from loadtest.scenario import TimedRecord


class Sender(msgspec.Struct, frozen=True):
    """Who an order is from and for, where the record tells."""

    shop_id: str = SHOP
    buyer_id: str = ""


class Asking(NamedTuple):
    """What an order of a recording asks for."""

    sender: Sender
    units: Mapping[str, int]


def make_plan(records: Sequence[TimedRecord], seed: int, begin_ms: int) -> Plan:
    """Make the plan of a recording. A record that cannot be read is sent as it is, and asks for nothing."""
    orders = dict(_orders(records))
    pools = spread_shops(Counter(asking.sender.shop_id for asking in orders.values()))
    wanted = stock.demand(_wanted(orders.values(), pools))
    seconds = max(1.0, records[-1].offset_seconds)
    feed = list(stock.feed(wanted, stock.StockPlan(0.0, 0.0), seed, begin_ms))
    return Plan(Scenario(list(records), len(orders) / seconds), feed, pools, len(orders))


def _orders(records: Iterable[TimedRecord]) -> Iterator[tuple[str, Asking]]:
    """Give each order, by its id, as its last record tells it."""
    for record in records:
        value = record.value or b""
        headers = {"platform": record.platform} | {name: told.decode(errors="replace") for name, told in record.headers}
        asked = ask(headers, value)
        if asked.kind == "order":
            yield asked.order_id, Asking(_sender(value, headers.get("shop", SHOP)), asked.units)


def _sender(value: bytes, shop: str) -> Sender:
    try:
        return msgspec.json.decode(value, type=Sender)
    except msgspec.DecodeError:
        return Sender(shop)


def _wanted(orders: Iterable[Asking], pools: Mapping[str, str]) -> Iterator[stock.Wanted]:
    for sender, units in orders:
        yield stock.Wanted(pools[sender.shop_id], sender.buyer_id, list(units.items()))
