"""Orders cut to so many lines."""

from __future__ import annotations

import argparse

import pytest

from loadtest.journey import Line, ShopOrder
from loadtest.order_size import OrderSize, cut, cut_orders, order_size

BASKET = ShopOrder("1", "330", "900", 0, (Line("11", 2, 100), Line("12", 1, 200), Line("13", 1, 400)), 0, 80, 40)


def test_one_number_or_two_say_how_many_lines() -> None:
    assert order_size("9") == OrderSize(9, 9)
    assert order_size("1-3") == OrderSize(1, 3)


@pytest.mark.parametrize("text", ["", "a", "-", "1-x", "3-1", "0", "0-2", "1-2-3", "1-9999", "-1"])
def test_what_is_no_number_of_lines_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        order_size(text)


def test_an_order_that_is_cut_keeps_its_first_lines_and_their_share_of_the_discounts() -> None:
    order = cut(BASKET, 2)
    assert order.lines == BASKET.lines[:2]
    assert (order.discount_seller_minor, order.discount_platform_minor) == (40, 20)
    assert order.paid_minor == 340


def test_a_smaller_order_stays_as_it_is() -> None:
    assert cut(BASKET, 3) == BASKET


def test_every_size_occurs_and_the_seed_decides() -> None:
    orders = cut_orders([BASKET] * 60, OrderSize(1, 3), 7)
    assert {len(order.lines) for order in orders} == {1, 2, 3}
    assert orders == cut_orders([BASKET] * 60, OrderSize(1, 3), 7)
