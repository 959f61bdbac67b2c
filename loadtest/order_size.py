"""How many lines an order has: the grocer's baskets have nine on average, a promotion's orders one to three.

A basket is cut to its first lines; one that is smaller stays as it is. Its discounts shrink with its goods.
"""

from __future__ import annotations

import argparse
import random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loadtest.journey import ShopOrder

LINES_MAX = 1000


class OrderSize(NamedTuple):
    """The fewest and the most lines that an order is cut to."""

    fewest: int
    most: int


def order_size(text: str) -> OrderSize:
    """Read `1-3`, or `9` for one size. Raises argparse's error, which says what is wrong."""
    fewest, dash, most = text.partition("-")
    try:
        size = OrderSize(int(fewest), int(most if dash else fewest))
    except ValueError:
        message = f"{text!r} is not a number of lines, such as 9, or two, such as 1-3"
        raise argparse.ArgumentTypeError(message) from None
    if not 1 <= size.fewest <= size.most <= LINES_MAX:
        message = f"{text}: an order has from 1 to {LINES_MAX} lines, the smaller number first"
        raise argparse.ArgumentTypeError(message)
    return size


def cut_orders(orders: Iterable[ShopOrder], size: OrderSize, seed: int) -> list[ShopOrder]:
    """Cut each order to so many of its lines, every number of lines equally often."""
    chance = random.Random(seed)  # noqa: S311 - a choice to repeat, not a secret
    return [cut(order, chance.randint(size.fewest, size.most)) for order in orders]


def cut(order: ShopOrder, lines: int) -> ShopOrder:
    """Keep an order's first lines."""
    if len(order.lines) <= lines:
        return order
    kept = order.lines[:lines]
    goods, goods_kept = (sum(line.quantity * line.unit_price_minor for line in some) for some in (order.lines, kept))
    return order._replace(
        lines=kept,
        discount_seller_minor=order.discount_seller_minor * goods_kept // max(goods, 1),
        discount_platform_minor=order.discount_platform_minor * goods_kept // max(goods, 1),
    )
