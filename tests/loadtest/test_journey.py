"""The grocer's baskets as orders."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.geography import POOLS
from loadtest.journey import COLUMNS, Line, build_orders, group_shops, read_journey
from pipeline.errors import SettingsError

NOON = pd.Timestamp("2017-03-20 12:00:00")
NOON_MS = 1_490_011_200_000


def window(*rows: tuple[int, int, int, float, float, float, float]) -> pd.DataFrame:
    """Give lines of (basket, product, quantity, sales value, retail, coupon, coupon match discount)."""
    lines = [(basket, 900, 330, product, quantity, NOON, *money) for basket, product, quantity, *money in rows]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def test_a_basket_becomes_an_order_with_its_lines_in_sequence() -> None:
    (order,) = build_orders(window((1, 11, 2, 3.00, 0.50, 0.20, 0.10), (1, 12, 1, 0.99, 0.0, 0.0, 0.0)))
    assert (order.order_id, order.shop_id, order.buyer, order.created_at) == ("1", "330", "900", NOON_MS)
    assert order.lines == (Line("11", 2, 180), Line("12", 1, 99))
    assert (order.discount_seller_minor, order.discount_platform_minor) == (60, 20)
    assert order.paid_minor == 300 + 99 - 20


def test_a_line_that_does_not_divide_becomes_two_of_one_sku() -> None:
    (order,) = build_orders(window((1, 11, 3, 1.00, 0.0, 0.0, 0.0)))
    assert order.lines == (Line("11", 2, 33), Line("11", 1, 34))


def test_a_line_of_nothing_is_kept_and_its_money_is_freight() -> None:
    (order,) = build_orders(window((1, 11, 0, 2.61, 0.0, 0.0, 0.0)))
    assert order.lines == (Line("11", 0, 0),)
    assert (order.freight_minor, order.paid_minor) == (261, 261)


def test_a_coupon_counts_for_no_more_than_there_is_to_pay() -> None:
    (order,) = build_orders(window((1, 11, 1, 1.00, 0.0, 5.00, 0.0)))
    assert (order.discount_platform_minor, order.paid_minor) == (100, 0)


def test_baskets_of_one_second_are_told_apart() -> None:
    one, other = build_orders(
        window((1, 11, 1, 1.0, 0, 0, 0), (2, 21, 1, 2.0, 0, 0, 0), (1, 12, 1, 3.0, 0, 0, 0), (2, 22, 3, 1.0, 0, 0, 0))
    )
    assert [line.sku for line in one.lines] == ["11", "12"]
    assert [line.sku for line in other.lines] == ["21", "22", "22"]


@settings(deadline=None)  # the first frames of a process are slow
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 50), st.integers(0, 90_000), st.integers(0, 100_000)),
        min_size=1,
        max_size=20,
    )
)
def test_quantity_and_money_add_up_exactly(rows: list[tuple[int, int, int, int]]) -> None:
    orders = build_orders(window(*((basket, sku, count, cents / 100, 0, 0, 0) for basket, sku, count, cents in rows)))
    for order in orders:
        own = [row for row in rows if str(row[0]) == order.order_id]
        assert order.paid_minor == sum(cents for *_, cents in own)
        assert sum(line.quantity for line in order.lines) == sum(count for _, _, count, _ in own)
        assert all(line.unit_price_minor >= 0 for line in order.lines)


def test_shops_are_spread_so_that_pools_sell_about_as_much() -> None:
    baskets = pd.Series([store for store in range(40) for _ in range(store + 1)])
    pools = group_shops(baskets)
    sold = pd.Series([pools[str(store)] for store in baskets]).value_counts()
    assert set(pools.values()) == set(POOLS)
    assert sold.max() - sold.min() <= 8


def test_the_year_gives_a_window_of_orders_that_the_seed_chooses() -> None:
    journey = read_journey(500, seed=7)
    assert len({order.order_id for order in journey.orders}) == 500
    assert [order.created_at for order in journey.orders] == sorted(order.created_at for order in journey.orders)
    assert all(order.shop_id in journey.pools and order.paid_minor >= 0 for order in journey.orders)
    assert len(journey.pools) == 457


def test_more_orders_than_there_are_is_an_error_that_says_how_many_there_are() -> None:
    with pytest.raises(SettingsError, match="--orders: 200000 is not between 1 and 155848"):
        read_journey(200_000, seed=7)
