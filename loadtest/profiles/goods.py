"""The orders of a profile: real baskets, or orders of so many lines whose SKUs are drawn, each of a buyer of its own.

A buyer of its own, so that nobody orders the same again within minutes: in a load that compresses days, real households
would be suspected duplicates of themselves. Those that the mix wants are made on purpose.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from loadtest.journey import BASKETS, Line, ShopOrder, read_journey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from loadtest.journey import Journey
    from loadtest.profiles.shape import Goods

BUYERS_FROM = 7_000_000_000
"""These buyers are no households of the data."""
HOT_SKU = "hot-1"
ZIPF_PRICES_MINOR = range(199, 9_900)


class Arrived(NamedTuple):
    """An order, when it comes (seconds from the start), and whether it is one of those that want the hot SKU."""

    at_seconds: float
    order: ShopOrder
    is_hot: bool


def read_baskets(orders: int, seed: int) -> Journey:
    """Read real baskets for so many orders; past the year's number they begin anew. Raises SetupError."""
    return read_journey(min(orders, BASKETS), seed)


def arrive(times: Iterable[float], journey: Journey, goods: Goods, begin_ms: int, seed: int) -> Iterator[Arrived]:
    """Give an order for each time. Its own time is when it comes, from `begin_ms` (ms UTC) on.

    Shops come as often as in the data; so do their goods, or by Zipf's law.
    """
    chance = random.Random(seed)  # noqa: S311 - a choice to repeat, not a secret
    hot_shop = journey.orders[0].shop_id
    drawn = Drawer(journey.orders, goods, chance)
    for place, at_seconds in enumerate(times):
        basket = journey.orders[place % len(journey.orders)]
        order = basket._replace(
            order_id=f"load-{place}",
            buyer=str(BUYERS_FROM + place),
            created_at=begin_ms + int(at_seconds * 1000),
        )
        is_hot = chance.random() < goods.hot_share
        if is_hot:
            order = _of_lines(order._replace(shop_id=hot_shop), (Line(HOT_SKU, 1, ZIPF_PRICES_MINOR.start),))
        elif goods.lines:
            order = _of_lines(order, drawn.lines())
        yield Arrived(at_seconds, order, is_hot)


def _of_lines(order: ShopOrder, lines: tuple[Line, ...]) -> ShopOrder:
    """Give an order other lines; what the basket's freight and discounts were is not theirs."""
    return order._replace(lines=lines, freight_minor=0, discount_seller_minor=0, discount_platform_minor=0)


class Drawer:
    """Draws lines: how many by the profile's shares, their SKUs as often as shops sold them or by Zipf's law."""

    def __init__(self, orders: Sequence[ShopOrder], goods: Goods, chance: random.Random) -> None:
        self._chance = chance
        self._counts = range(1, len(goods.lines) + 1)
        self._shares = goods.lines
        self._weights = list(accumulate(_zipf(goods))) if goods.zipf_exponent else []
        self._sold = [line for order in orders for line in order.lines if line.quantity]

    def lines(self) -> tuple[Line, ...]:
        """Give an order's lines, each of another SKU; of goods that few SKUs are sold of, fewer lines than drawn."""
        (wanted,) = self._chance.choices(self._counts, self._shares)
        drawn = (self._draw() for _ in range(wanted))
        return tuple({line.sku: line for line in drawn}.values())

    def _draw(self) -> Line:
        if not self._weights:
            return self._chance.choice(self._sold)
        rank = bisect_left(self._weights, self._chance.random() * self._weights[-1]) + 1
        return Line(f"zipf-{rank}", 1, ZIPF_PRICES_MINOR[rank % len(ZIPF_PRICES_MINOR)])


def _zipf(goods: Goods) -> Iterator[float]:
    return (rank**-goods.zipf_exponent for rank in range(1, goods.zipf_skus + 1))
