"""Parcels that left in spite of a void that was confirmed: the books lose their units too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from pipeline.domain.routing_commands import SettleAllocation, StockShelf
from pipeline.domain.shipping_events import ShelfStocked
from tests.domain.folding import names, requests
from tests.domain.invariants import check_invariants
from tests.domain.orders import NOON, POOL, order_id, units
from tests.domain.stages import folded
from tests.domain.test_reservation import A, consume, open_warehouse, place, receive, release
from tests.domain.test_routing_moves import TICK, split, stopped

if TYPE_CHECKING:
    from pipeline.domain.commands import ConsumeHold
    from tests.domain.folding import Folded

OLD, NEW = 1, 10001


def stocked(on_hand: int) -> Folded:
    """Hold 2 of X for an order."""
    stage = folded("reservation")
    for command in (open_warehouse(), receive(X=on_hand), place(X=2)):
        stage.tell(command)
    return stage


def left(part: int) -> ConsumeHold:
    return msgspec.structs.replace(consume(part, X=2), warehouse="w1")


def balance(stage: Folded) -> tuple[int, int]:
    found = stage.state.stock[f"{POOL}|X"]
    return found.on_hand, found.held


def test_two_parcels_of_one_order_that_left_take_their_units_off_what_is_in_stock_both() -> None:
    stage = stocked(5)
    assert names(stage.tell(left(OLD))) == ["HoldConsumed", "SettleAllocation"]
    again, adjusted, settle = stage.tell(left(NEW))
    assert again.answer == "not outstanding"
    assert (adjusted.order_id, adjusted.feed_id, adjusted.change_units) == (A, f"shipped|{A}-{NEW}", -2)
    assert (adjusted.warehouse, adjusted.reason) == ("w1", "SHIPPED_UNHELD")
    assert (settle.shipped, settle.warehouse, settle.units) == (True, "w1", units(X=2))
    assert balance(stage) == (1, 0)
    check_invariants(stage)


def test_however_often_it_is_told_that_such_a_parcel_left_it_counts_once() -> None:
    stage = stocked(5)
    stage.tell(left(OLD))
    stage.tell(left(NEW))
    for part in (OLD, NEW):
        assert names(stage.tell(left(part))) == ["HoldRepeated"]
    assert balance(stage) == (1, 0)


def test_a_parcel_of_a_cancelled_order_that_left_all_the_same_takes_its_units_with_it() -> None:
    stage = stocked(5)
    stage.tell(release(OLD, X=2))
    assert balance(stage) == (5, 0)
    assert names(stage.tell(left(OLD))) == ["HoldRepeated", "StockAdjusted", "SettleAllocation"]
    assert balance(stage) == (3, 0)
    check_invariants(stage)


@pytest.mark.parametrize("warehouse", ["w1", ""])
def test_units_that_another_order_holds_are_not_taken_and_an_alarm_says_so(warehouse: str) -> None:
    stage = stocked(3)
    stage.tell(release(OLD, X=2))
    stage.tell(place("B", X=2))
    again, refused, settle = stage.tell(msgspec.structs.replace(left(OLD), warehouse=warehouse))
    assert again.answer == "released"
    assert (refused.order_id, refused.sku, refused.change_units, refused.reason) == (A, "X", -2, "SHIPPED_UNHELD")
    assert (settle.shipped, settle.units) == (False, ())
    assert balance(stage) == (3, 2)
    check_invariants(stage)


def test_a_part_whose_units_another_took_is_free_on_its_shelf_when_it_will_not_ship() -> None:
    stage = stocked(5)
    stage.tell(left(OLD))
    (settle,) = requests(stage.tell(release(NEW, X=2)))
    assert isinstance(settle, SettleAllocation)
    assert not settle.shipped
    assert balance(stage) == (3, 0)


def test_the_shelves_lose_both_parcels_whichever_is_told_first() -> None:
    shelves = []
    for first, second in ((OLD, NEW), (NEW, OLD)):
        stage = split()
        stage.tell(TICK)
        stage.tell(stopped())
        for part in (first, second):
            where, what = ("shanghai", units(X=3, Y=1)) if part == OLD else ("beijing", units(X=3))
            settle = SettleAllocation(
                at=NOON, pool=POOL, order_id=A, fulfilment_id=f"{A}-{part}", shipped=True, warehouse=where, units=what
            )
            answers = stage.tell(settle)
            assert names(answers) == (["RouteRepeated", "ShelfStocked"] if part == OLD else ["AllocationSettled"])
        shelves.append({key: shelf.on_hand for key, shelf in stage.state.shelves.items()})
        check_invariants(stage)
    assert shelves[0] == shelves[1]
    on_hand = {key.removeprefix(f"{POOL}|"): count for key, count in shelves[0].items()}
    assert (on_hand["shanghai|X"], on_hand["shanghai|Y"], on_hand["beijing|X"]) == (0, 0, 6)


def test_what_routing_settled_as_freed_and_left_goes_off_its_shelf_once_it_is_told() -> None:
    stage = folded("routing")
    stage.tell(StockShelf(at=NOON, pool=POOL, warehouse="w1", units=units(X=5)))
    gone = SettleAllocation(
        at=NOON, pool=POOL, order_id=order_id("B"), fulfilment_id="B-1", shipped=True, warehouse="w1", units=units(X=2)
    )
    (_, stocked_event) = stage.tell(gone)
    assert isinstance(stocked_event, ShelfStocked)
    assert stocked_event.units == units(X=-2)
    assert names(stage.tell(msgspec.structs.replace(gone, shipped=False))) == ["RouteRepeated"]
