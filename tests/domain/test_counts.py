"""Counts of shelves: routing compares, reservation corrects, and nothing is corrected twice."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.commands import ReceiveStock
from pipeline.domain.routing_commands import CountShelf, SettleCount
from pipeline.domain.stock_commands import CorrectStock, CountStock
from tests.domain.folding import names, requests
from tests.domain.orders import NOON, POOL, units
from tests.domain.stages import folded
from tests.domain.stock import balance, open_warehouse, place


class Warehouse:
    """Reservation and routing, with what one asks the other on its way until it is let go."""

    def __init__(self, on_hand: int) -> None:
        self.reservation, self.routing = folded("reservation"), folded("routing")
        self.to_routing: list[Any] = []
        self.to_reservation: list[Any] = []
        self.tell(open_warehouse())
        self.tell(ReceiveStock(at=NOON, pool=POOL, feed_id="f", warehouse="w1", units=units(X=on_hand)))
        self.settle()

    def tell(self, command: Any) -> list[str]:  # noqa: ANN401
        answers = self.reservation.tell(command)
        self.to_routing += requests(answers)
        return names(answers)

    def route(self) -> None:
        """Let routing have what is on its way to it."""
        while self.to_routing:
            asked = requests(self.routing.tell(self.to_routing.pop(0)))
            self.to_reservation += [one for one in asked if isinstance(one, CorrectStock)]

    def settle(self) -> None:
        """Let all have what is on its way."""
        self.route()
        while self.to_reservation:
            self.tell(self.to_reservation.pop(0))
            self.route()

    def order(self, name: str, count: int) -> None:
        self.tell(place(name, X=count))
        self.settle()

    def shelf(self) -> tuple[int, int]:
        found = self.routing.state.shelves[f"{POOL}|w1|X"]
        return found.on_hand, found.allocated


def count(found: int, feed_id: str = "c1", warehouse: str = "w1") -> CountStock:
    return CountStock(at=NOON, pool=POOL, feed_id=feed_id, warehouse=warehouse, sku="X", counted_units=found)


@pytest.mark.parametrize("found", [0, 7, 10, 12])
def test_a_quiet_shelf_has_what_was_counted(found: int) -> None:
    warehouse = Warehouse(10)
    warehouse.tell(count(found))
    warehouse.settle()
    assert (balance(warehouse.reservation), warehouse.shelf()) == ((found, 0), (found, 0))


def test_a_count_counts_once_by_its_id() -> None:
    warehouse = Warehouse(10)
    warehouse.tell(count(7))
    assert warehouse.tell(count(7)) == ["StockFeedRepeated"]
    warehouse.settle()
    assert balance(warehouse.reservation) == (7, 0)


@pytest.mark.parametrize(("found", "after"), [(10, 10), (8, 10), (6, 10), (5, 9), (11, 11)])
def test_units_of_orders_under_way_may_be_on_the_shelf_or_gone(found: int, after: int) -> None:
    warehouse = Warehouse(10)
    warehouse.order("A", 4)
    warehouse.tell(count(found))
    warehouse.settle()
    assert (balance(warehouse.reservation), warehouse.shelf()) == ((after, 4), (after, 4))


def test_two_counts_before_the_first_one_is_corrected_correct_once() -> None:
    warehouse = Warehouse(10)
    warehouse.tell(count(7))
    warehouse.tell(count(7, "c2"))
    warehouse.route()
    warehouse.settle()
    assert (balance(warehouse.reservation), warehouse.shelf()) == ((7, 0), (7, 0))


def test_a_correction_that_would_take_held_units_is_refused_and_a_later_count_may_ask_again() -> None:
    warehouse = Warehouse(10)
    warehouse.tell(place("A", X=9))  # held, and not routed yet as the count comes
    held, warehouse.to_routing = warehouse.to_routing, []
    warehouse.tell(count(5))
    warehouse.settle()
    assert (balance(warehouse.reservation), warehouse.shelf()) == ((10, 9), (10, 0))
    assert warehouse.routing.state.counts == {}
    warehouse.to_routing = held
    warehouse.route()
    warehouse.tell(count(0, "c2"))
    warehouse.settle()
    assert (balance(warehouse.reservation), warehouse.shelf()) == ((9, 9), (9, 9))


def test_a_count_of_an_unknown_warehouse_is_refused() -> None:
    stage = Warehouse(1).reservation
    refused = stage.tell(count(1, warehouse="w9"))[0]
    assert (refused.reason, refused.warehouse, refused.sku) == ("UNKNOWN_WAREHOUSE", "w9", "X")


def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    stage = Warehouse(3).routing
    before = stage.tables()
    assert names(stage.tell(SettleCount(at=NOON, pool=POOL, feed_id="c9", applied=True))) == ["RouteRepeated"]
    assert stage.tables() == before


def test_a_shelf_that_nobody_stocked_may_be_counted() -> None:
    stage = folded("routing")
    shelf = CountShelf(at=NOON, pool=POOL, feed_id="c", warehouse="w1", sku="X", counted_units=4)
    told, correct = stage.tell(shelf)
    assert (told.least_units, told.most_units, correct.change_units) == (0, 0, 4)
