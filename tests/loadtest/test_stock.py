"""The stock feed."""

from __future__ import annotations

from collections import Counter

from loadtest.geography import PROVINCES, distance_km, home, nearest_warehouse, warehouses
from loadtest.stock import FEED_LINES_MAX, StockPlan, Wanted, demand, feed, shelves
from pipeline.domain.commands import ReceiveStock, RegisterWarehouse

PLENTY = StockPlan(scarce_share=0.0, elsewhere_share=0.0)
ORDERS = [Wanted("wuhan", str(buyer), [(f"sku-{buyer % 700}", 2), ("zero", 0)]) for buyer in range(3000)]


def stocked(plan: StockPlan) -> Counter[str]:
    """Give the units of each SKU that the feed brings."""
    received = [command for command in feed(demand(ORDERS), plan, 7, 0) if isinstance(command, ReceiveStock)]
    assert max(len(command.units) for command in received) <= FEED_LINES_MAX
    assert len({command.feed_id for command in received}) == len(received)
    units: Counter[str] = Counter()
    for command in received:
        for line in command.units:
            units[line.sku] += line.units
    return units


def test_there_is_enough_of_everything_where_nothing_is_scarce() -> None:
    asked: Counter[str] = Counter()
    for order in ORDERS:
        asked.update(dict(order.units))
    received = stocked(PLENTY)
    assert all(received[sku] >= count for sku, count in asked.items())
    assert "zero" not in received


def test_each_warehouse_has_what_the_buyers_nearest_to_it_ask_for() -> None:
    wanted = demand(ORDERS)
    filled = shelves(wanted, PLENTY, 7)
    assert all(filled[pool, warehouse][sku] >= units for (pool, sku, warehouse), units in wanted.items())
    assert len(filled) > 1


def test_a_scarce_sku_sells_out_and_is_known() -> None:
    asked = Counter(f"sku-{buyer % 700}" for buyer in range(3000))
    units = stocked(PLENTY._replace(scarce_share=1.0))
    assert all(1 <= units[sku] < 2 * count for sku, count in asked.items())


def test_a_sku_elsewhere_lies_in_one_warehouse_that_is_not_the_busiest() -> None:
    wanted = demand(ORDERS)
    filled = shelves(wanted, PLENTY._replace(elsewhere_share=1.0), 7)
    places = [warehouse for shelf in filled.items() for warehouse in [shelf[0][1]] * ("sku-1" in shelf[1])]
    regions = {warehouse: units for (_, sku, warehouse), units in wanted.items() if sku == "sku-1"}
    assert len(places) == 1
    assert places[0] != max(regions, key=lambda warehouse: (regions[warehouse], warehouse))


def test_every_pool_opens_three_warehouses() -> None:
    opened = [command for command in feed(demand([]), PLENTY, 7, 5) if isinstance(command, RegisterWarehouse)]
    assert Counter(command.pool for command in opened) == dict.fromkeys({command.pool for command in opened}, 3)
    assert len({command.warehouse for command in opened}) == len(opened) == 24


def test_buyers_stay_at_home_and_live_where_people_live() -> None:
    lived = Counter(home(str(buyer)).name for buyer in range(20_000))
    assert home("900") == home("900")
    assert len(lived) == len(PROVINCES)
    assert lived.most_common(1)[0][0] == "广东省"


def test_the_nearest_warehouse_is_the_nearest() -> None:
    beijing = next(province.place for province in PROVINCES if province.name == "北京市")
    assert nearest_warehouse("chengdu", beijing) == "chengdu-beijing"
    assert distance_km(warehouses("chengdu")["chengdu-beijing"], beijing) < 1
