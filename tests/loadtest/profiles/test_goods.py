"""What the orders of a load are made of."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import orjson
import pytest

from loadtest.journey import Journey, Line, ShopOrder
from loadtest.oracle.asked import ask
from loadtest.profiles.goods import HOT_SKU, Arrived, arrive
from loadtest.profiles.shape import Goods
from loadtest.scenario import Shares, schedule_at

BEGIN_MS = 1_790_000_000_000
LINES = (Line("a", 2, 100), Line("b", 1, 50), Line("c", 0, 0))
JOURNEY = Journey([ShopOrder(f"o{n}", f"s{n % 2}", "h1", 5, LINES, 10, 1, 2) for n in range(4)], {"s0": "p", "s1": "q"})


def arrived(orders: int, **goods: object) -> list[Arrived]:
    times = (place / 10 for place in range(orders))
    return list(arrive(times, JOURNEY, Goods(**goods), BEGIN_MS, 7))  # type: ignore[arg-type]


def test_every_order_is_another_one_of_another_buyer_placed_when_it_comes() -> None:
    found = arrived(50)
    assert len({one.order.order_id for one in found}) == len({one.order.buyer for one in found}) == 50
    assert [one.order.created_at for one in found[:3]] == [BEGIN_MS, BEGIN_MS + 100, BEGIN_MS + 200]


def test_without_more_said_orders_are_the_baskets_and_come_again_when_all_have_come() -> None:
    found = arrived(6)
    assert {one.order.lines for one in found} == {LINES}
    assert [one.order.shop_id for one in found] == ["s0", "s1", "s0", "s1", "s0", "s1"]


def test_so_many_lines_as_the_shares_say() -> None:
    found = arrived(4000, lines=(0.5, 0.3, 0.2), zipf_exponent=0.5, zipf_skus=100_000)
    counts = Counter(len(one.order.lines) for one in found)
    assert [counts[lines] / 4000 for lines in (1, 2, 3)] == pytest.approx([0.5, 0.3, 0.2], abs=0.03)


def test_of_few_skus_an_order_has_no_line_twice_and_costs_what_its_lines_cost() -> None:
    for one in arrived(200, lines=(0.0, 0.0, 1.0)):
        skus = [line.sku for line in one.order.lines]
        assert len(skus) == len(set(skus)) <= 2
        assert one.order.paid_minor == sum(line.quantity * line.unit_price_minor for line in one.order.lines)


def test_zipf_makes_the_second_sku_half_as_frequent_as_the_first() -> None:
    found = arrived(20_000, lines=(1.0,), zipf_exponent=1.0, zipf_skus=1000)
    counts = Counter(one.order.lines[0].sku for one in found)
    assert counts["zipf-1"] / counts["zipf-2"] == pytest.approx(2, rel=0.15)
    assert all(before >= after for before, after in pairwise(count for _, count in counts.most_common(5)))


def test_the_hot_share_wants_one_unit_of_one_sku_of_one_shop() -> None:
    hot = [one.order for one in arrived(2000, hot_share=0.8) if one.is_hot]
    assert len(hot) / 2000 == pytest.approx(0.8, abs=0.03)
    assert {(order.shop_id, order.lines[0].sku, len(order.lines)) for order in hot} == {("s0", HOT_SKU, 1)}


def ways(**share: float) -> list[dict[str, object]]:
    """Give the records of one order that goes the way of this share."""
    none = Shares(0.0, 0.0, 0.0, 0.0)
    orders = [(one.at_seconds, one.order) for one in arrived(1)]
    return [orjson.loads(record.value or b"") for record in schedule_at(orders, 1, none._replace(**share))]


def test_an_address_changes_after_the_order_and_keeps_its_town() -> None:
    order, change = ways(address=1.0)
    assert (change["type"], change["order_id"]) == ("address", order["order_id"])
    assert change["city"] == order["city"]
    assert change["address_detail"] != order["address_detail"]


def test_a_late_order_was_placed_ten_minutes_before_it_comes() -> None:
    (order,) = ways(late=1.0)
    assert order["created_at"] == order["paid_at"] == BEGIN_MS - 600_000


def test_a_suspected_duplicate_is_another_order_of_the_same_buyer_for_the_same_goods() -> None:
    first, second = ways(suspected=1.0)
    assert first["order_id"] != second["order_id"]
    assert [first[name] for name in ("buyer_id", "shop_id", "lines")] == [
        second[name] for name in ("buyer_id", "shop_id", "lines")
    ]


def test_what_is_sent_is_what_the_check_reads() -> None:
    for kind, share in (("address", "address"), ("order", "suspected")):
        records = schedule_at([(0.0, arrived(1)[0].order)], 1, Shares(0.0, 0.0, 0.0, 0.0)._replace(**{share: 1.0}))
        asked = ask({"platform": records[1].platform}, records[1].value or b"")
        assert (asked.kind, bool(asked.order_id)) == (kind, True)
