from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.domain.commands import (
    AdjustStock,
    CancelHold,
    ConsumeHold,
    PlaceHold,
    ReceiveStock,
    RegisterWarehouse,
    ReleaseHold,
)
from pipeline.domain.errors import InvariantError
from pipeline.domain.events import HoldConsumed, HoldPlaced, HoldRefused, HoldRepeated
from pipeline.domain.orders import SkuUnits
from pipeline.domain.reservation import deciding as reservation
from pipeline.domain.reservation.feeds import WAREHOUSES_PER_POOL_MAX
from pipeline.domain.reservation.holds import SHORT_NAMED_MAX
from tests.domain.folding import names, requests
from tests.domain.orders import NOON, POOL, SHIP_TO, order_id, units
from tests.domain.stages import folded

if TYPE_CHECKING:
    from pipeline.domain.reservation.values import Balance
    from tests.domain.folding import Folded

A = order_id("A")


def open_warehouse(name: str = "w1") -> RegisterWarehouse:
    return RegisterWarehouse(at=NOON, pool=POOL, feed_id=f"open {name}", warehouse=name, latitude=30, longitude=120)


def receive(feed_id: str = "f1", /, **counts: int) -> ReceiveStock:
    return ReceiveStock(at=NOON, pool=POOL, feed_id=feed_id, warehouse="w1", units=units(**counts))


def adjust(change: int, feed_id: str = "a1") -> AdjustStock:
    return AdjustStock(
        at=NOON, pool=POOL, feed_id=feed_id, warehouse="w1", sku="X", change_units=change, reason="counted"
    )


def place(name: str = "A", /, **counts: int) -> PlaceHold:
    return PlaceHold(at=NOON, pool=POOL, order_id=order_id(name), units=units(**counts), ship_to=SHIP_TO)


def consume(part: int = 1, /, **counts: int) -> ConsumeHold:
    return ConsumeHold(at=NOON, pool=POOL, order_id=A, fulfilment_id=f"{A}-{part}", units=units(**counts))


def release(part: int = 1, /, **counts: int) -> ReleaseHold:
    return ReleaseHold(
        at=NOON, pool=POOL, order_id=A, fulfilment_id=f"{A}-{part}", units=units(**counts), reason="buyer"
    )


CANCEL = CancelHold(at=NOON, pool=POOL, order_id=A, reason="buyer")


def stocked(**counts: int) -> Folded:
    stage = folded("reservation")
    stage.tell(open_warehouse())
    stage.tell(receive(**counts))
    return stage


def balance(stage: Folded, sku: str = "X") -> tuple[int, int]:
    found: Balance = stage.state.stock[f"{POOL}|{sku}"]
    return found.on_hand, found.held


def test_an_order_is_held_as_a_whole() -> None:
    stage = stocked(X=5, Y=1)
    assert names(stage.tell(place(X=5, Y=1))) == ["HoldPlaced", "RouteOrder"]
    assert (balance(stage), balance(stage, "Y")) == ((5, 5), (1, 1))


def test_or_not_at_all_and_the_refusal_names_what_was_missing() -> None:
    stage = stocked(X=5, Y=1)
    (refused,) = stage.tell(place(X=5, Y=3))
    assert isinstance(refused, HoldRefused)
    assert (refused.reason, refused.short) == ("SHORTAGE", units(Y=2))
    assert balance(stage) == (5, 0)


def test_a_refused_order_stays_refused_even_when_goods_arrive() -> None:
    stage = stocked(X=1)
    stage.tell(place(X=2))
    stage.tell(receive("f2", X=9))
    (repeated,) = stage.tell(place(X=2))
    assert isinstance(repeated, HoldRepeated)
    assert repeated.answer == "refused"


def test_a_sku_that_the_pool_never_had_goes_to_review() -> None:
    answers = stocked(X=1).tell(place(X=1, Q=1))
    assert names(answers) == ["HoldRefused", "RequestReview"]
    assert answers[0].reason == "UNKNOWN_SKU"
    assert "Q" in answers[1].evidence


def test_a_refusal_names_the_first_few() -> None:
    wanted = {f"S{number:02}": 1 for number in range(20)}
    answers = stocked(X=1).tell(place(**wanted))
    assert len(answers[0].short) == SHORT_NAMED_MAX


def test_a_sold_out_sku_is_short_and_not_unknown() -> None:
    stage = stocked(X=1)
    stage.tell(place("A", X=1))
    stage.tell(consume(X=1))
    assert stage.tell(place("B", X=1))[0].reason == "SHORTAGE"


def test_what_left_is_gone_and_counts_once() -> None:
    stage = stocked(X=5)
    stage.tell(place(X=3))
    assert names(stage.tell(consume(X=3))) == ["HoldConsumed", "SettleAllocation"]
    assert names(stage.tell(consume(X=3))) == ["HoldRepeated"]
    assert names(stage.tell(release(X=3))) == ["HoldRepeated"]
    assert balance(stage) == (2, 0)


def test_what_will_not_ship_is_free_again_once() -> None:
    stage = stocked(X=5)
    stage.tell(place(X=3))
    assert names(stage.tell(release(X=3))) == ["HoldReleased", "SettleAllocation"]
    assert names(stage.tell(release(X=3))) == ["HoldRepeated"]
    assert balance(stage) == (5, 0)


def test_an_order_in_parts_is_settled_part_by_part_and_never_beyond_what_it_holds() -> None:
    stage = stocked(X=5)
    stage.tell(place(X=3))
    stage.tell(consume(1, X=1))
    assert stage.tell(consume(2, X=3))[0].answer == "not outstanding"
    assert stage.tell(consume(2, Q=1))[0].answer == "not outstanding"
    stage.tell(release(2, X=2))
    assert balance(stage) == (4, 0)
    assert stage.state.holds[A].units == ()


def test_a_cancellation_follows_the_order_to_routing_once() -> None:
    stage = stocked(X=5)
    stage.tell(place(X=3))
    assert names(stage.tell(CANCEL)) == ["CancelRequested", "CancelRoute"]
    assert names(stage.tell(CANCEL)) == ["HoldRepeated"]
    assert balance(stage) == (5, 3), "nothing is free before it is certain that nothing ships"


def test_an_order_is_cancelled_when_all_of_it_is_released() -> None:
    stage = stocked(X=5)
    stage.tell(place(X=3))
    stage.tell(CANCEL)
    assert names(stage.tell(release(1, X=1))) == ["HoldReleased", "SettleAllocation"]
    assert names(stage.tell(release(2, X=2))) == ["HoldReleased", "OrderCancelled", "SettleAllocation", "ConfirmCancel"]


def test_and_not_when_part_of_it_shipped() -> None:
    stage = stocked(X=5)
    stage.tell(place(X=3))
    stage.tell(CANCEL)
    stage.tell(consume(1, X=1))
    assert names(stage.tell(release(2, X=2))) == ["HoldReleased", "SettleAllocation"]


def test_cancelling_what_is_not_held_changes_nothing_and_says_why() -> None:
    stage = stocked(X=1)
    assert stage.tell(CANCEL)[0].answer == "no hold"
    stage.tell(place(X=2))
    assert stage.tell(CANCEL)[0].answer == "refused"
    shipped = stocked(X=1)
    shipped.tell(place(X=1))
    shipped.tell(consume(X=1))
    assert shipped.tell(CANCEL)[0].answer == "settled"


def test_a_feed_counts_once() -> None:
    stage = stocked(X=5)
    assert names(stage.tell(receive(X=5))) == ["StockFeedRepeated"]
    assert balance(stage) == (5, 0)


def test_a_correction_may_not_take_what_is_held() -> None:
    stage = stocked(X=5)
    stage.tell(place(X=3))
    (refused,) = stage.tell(adjust(-3))
    assert refused.reason == "WOULD_TAKE_HELD_UNITS"
    assert names(stage.tell(adjust(-3))) == ["StockFeedRepeated"]
    assert names(stage.tell(adjust(-2, "a2"))) == ["StockAdjusted", "StockShelf"]
    assert balance(stage) == (3, 3)


def test_a_feed_that_makes_no_sense_is_refused() -> None:
    stage = folded("reservation")
    assert stage.tell(receive(X=5))[0].reason == "UNKNOWN_WAREHOUSE"
    assert stage.tell(adjust(1))[0].reason == "UNKNOWN_WAREHOUSE"
    stage.tell(open_warehouse())
    assert stage.tell(receive("f2", X=0))[0].reason == "NOT_POSITIVE"
    assert stage.tell(receive("f3", X=2, Y=-1))[0].sku == "Y"
    assert stage.tell(receive("f4"))[0].reason == "NOT_POSITIVE"


def test_a_pool_has_only_so_many_warehouses_and_one_may_move() -> None:
    stage = folded("reservation")
    for number in range(WAREHOUSES_PER_POOL_MAX):
        assert names(stage.tell(open_warehouse(str(number)))) == ["WarehouseRegistered", "OpenWarehouse"]
    assert stage.tell(open_warehouse("one more"))[0].reason == "TOO_MANY_WAREHOUSES"
    moved = RegisterWarehouse(at=NOON, pool=POOL, feed_id="move", warehouse="3", latitude=1, longitude=1)
    assert names(stage.tell(moved)) == ["WarehouseRegistered", "OpenWarehouse"]


def test_a_state_that_breaks_an_invariant_is_our_bug() -> None:
    stage = folded("reservation")
    with pytest.raises(InvariantError, match="1 units held of 0"):
        reservation.evolve(stage.state, HoldPlaced(order_id=A, at=NOON, pool=POOL, units=units(X=1)))
    stage = stocked(X=5)
    stage.tell(place(X=1))
    beyond = HoldConsumed(order_id=A, at=NOON, pool=POOL, fulfilment_id=f"{A}-1", units=(SkuUnits("X", 2),))
    with pytest.raises(InvariantError, match="settles"):
        reservation.evolve(stage.state, beyond)


def test_requests_to_routing_name_what_reservation_saw() -> None:
    stage = stocked(X=5)
    (route,) = requests(stage.tell(place(X=3)))
    assert (route.units, route.ship_to) == (units(X=3), SHIP_TO)  # type: ignore[attr-defined]
