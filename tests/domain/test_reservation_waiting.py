"""Orders that wait: backorders for what is free, presale for what is in transit; served by priority, then by time."""

from __future__ import annotations

from typing import Any

from pipeline.domain.orders import SubPool
from pipeline.domain.reservation.serving import FILLS_PER_RECORD_MAX
from tests.domain.folding import Folded, names, requests
from tests.domain.orders import NOON, POOL, order_id, units
from tests.domain.stock import (
    MINUTE_MS,
    announce,
    balance,
    cancel,
    confirm,
    expedite,
    hold_state,
    patient,
    place,
    presale,
    receive,
    release,
    restored,
    stocked,
    tell_all,
    tentative,
    tick,
    transfer,
    trim,
    with_terms,
)

A, B, C = (order_id(name) for name in "ABC")


def filled(answers: list[Any]) -> list[tuple[str, int]]:
    return [(one.order_id, one.units[0].units) for one in answers if type(one).__name__ == "HoldFilled"]


def routed(stage: Folded) -> list[str]:
    return [name for name in "ABC" if order_id(name) in stage.state.holds and hold_state(stage, name) == "locked"]


def test_what_is_there_is_held_and_the_order_waits_for_the_rest() -> None:
    stage = stocked(X=2, Y=5)
    answers = stage.tell(patient("A", X=3, Y=1))
    assert names(answers) == ["HoldPlaced"]
    assert (balance(stage), balance(stage, sku="Y")) == ((2, 2), (5, 1))
    assert hold_state(stage, "A") == "waiting"


def test_it_goes_on_as_a_whole_when_the_rest_arrives() -> None:
    stage = stocked(X=2, Y=5)
    stage.tell(patient("A", X=3, Y=1))
    answers = stage.tell(receive("f2", X=4))
    assert names(answers) == ["StockReceived", "StockShelf", "HoldFilled", "RouteOrder"]
    (route,) = [one for one in requests(answers) if type(one).__name__ == "RouteOrder"]
    assert route.units == units(X=3, Y=1)  # type: ignore[attr-defined]
    assert (balance(stage), stage.state.waits, stage.state.pending) == ((6, 3), {}, {})


def test_an_order_that_may_not_wait_is_refused() -> None:
    stage = stocked(X=2)
    assert names(stage.tell(place("A", X=3))) == ["HoldRefused"]


def test_nobody_waits_for_what_the_pool_never_had() -> None:
    stage = stocked(X=2)
    assert names(stage.tell(patient("A", X=1, Q=1))) == ["HoldRefused", "RequestReview"]


def test_the_higher_priority_is_served_first_and_then_the_one_that_came_first() -> None:
    stage = stocked(X=1)
    stage.tell(place("first", X=1))
    tell_all(stage, patient("A", at=NOON + 1, X=2), patient("B", at=NOON, X=2), patient("C", priority=5, at=NOON, X=2))
    assert filled(stage.tell(receive("f2", X=5))) == [(C, 2), (B, 2), (A, 1)]
    assert routed(stage) == ["B", "C"]


def test_who_is_expedited_is_served_before_the_others() -> None:
    stage = stocked(X=1)
    stage.tell(place("first", X=1))
    tell_all(stage, patient("A", X=2), patient("B", at=NOON + 1, X=2), expedite("B", 9))
    assert filled(stage.tell(receive("f2", X=2))) == [(B, 2)]


def test_a_newcomer_does_not_overtake_who_waits() -> None:
    stage = stocked(X=1)
    tell_all(stage, place("first", X=1), patient("A", X=2))
    assert names(stage.tell(place("late", X=1))) == ["HoldRefused"]
    assert names(stage.tell(patient("C", X=1))) == ["HoldPlaced"]
    assert filled(stage.tell(receive("f2", X=2))) == [(A, 2)]


def test_released_units_go_to_who_waits() -> None:
    stage = stocked(X=2)
    tell_all(stage, place("first", X=2), patient("A", X=1))
    answers = stage.tell(release("first", X=2))
    assert names(answers) == ["HoldReleased", "SettleAllocation", "HoldFilled", "RouteOrder"]
    assert balance(stage) == (2, 1)


def test_and_so_do_expired_trimmed_and_cancelled_ones() -> None:
    for give_up in (tick(30), trim("first", X=1), cancel("first")):
        stage = stocked(X=2)
        tell_all(stage, tentative("first", X=2), patient("A", X=1))
        assert filled(stage.tell(give_up)) == [(A, 1)], give_up


def test_and_what_is_transferred_back() -> None:
    stage = stocked(X=2)
    tell_all(stage, transfer("s1", 2, SubPool.STOCK, SubPool.SAFETY), patient("A", X=1))
    assert hold_state(stage, "A") == "waiting", "nothing of the safety stock"
    assert filled(stage.tell(transfer("s2", 2, SubPool.SAFETY, SubPool.STOCK))) == [(A, 1)]


def test_who_gives_up_is_not_served_with_his_own_units() -> None:
    stage = stocked(X=1)
    tell_all(stage, patient("A", X=2), patient("B", X=2))
    answers = stage.tell(cancel("A"))
    assert names(answers) == ["HoldReleased", "OrderCancelled", "ConfirmCancel", "HoldFilled"]
    assert filled(answers) == [(B, 1)]
    assert (balance(stage), hold_state(stage, "A")) == ((1, 1), "released")


def test_a_trimmed_order_goes_on_when_it_waits_for_nothing_any_more() -> None:
    stage = stocked(X=2)
    stage.tell(patient("A", X=3))
    answers = stage.tell(trim("A", X=1))
    assert names(answers) == ["HoldTrimmed", "RouteOrder"]
    assert requests(answers)[0].units == units(X=2)  # type: ignore[attr-defined]


def test_an_unpaid_order_is_served_and_goes_on_when_it_is_paid() -> None:
    stage = stocked(X=1)
    stage.tell(with_terms(patient("A", X=2), expires_at=NOON + MINUTE_MS))
    assert names(stage.tell(receive("f2", X=1))) == ["StockReceived", "StockShelf", "HoldFilled"]
    assert names(stage.tell(confirm("A"))) == ["HoldConfirmed", "RouteOrder"]


def test_presale_is_bounded_by_what_was_announced() -> None:
    stage = stocked(X=9)
    assert stage.tell(presale("A", X=1))[0].reason == "SHORTAGE", "nothing is in transit"
    stage.tell(announce(X=3))
    assert names(stage.tell(presale("B", X=2))) == ["HoldPlaced"]
    assert stage.tell(presale("C", X=2))[0].reason == "SHORTAGE"
    assert (balance(stage), balance(stage, SubPool.PRESALE)) == ((9, 0), (3, 2)), "what is in stock is not touched"


def test_presale_becomes_stock_when_the_goods_arrive_in_the_order_of_priority() -> None:
    stage = stocked(X=1)
    tell_all(stage, announce(X=6), presale("A", X=2), presale("B", priority=5, X=3))
    answers = stage.tell(receive("f2", "i1", X=4))
    assert filled(answers) == [(B, 3), (A, 1)]
    assert routed(stage) == ["B"]
    assert (balance(stage), balance(stage, SubPool.PRESALE)) == ((5, 4), (2, 1))
    assert filled(stage.tell(receive("f3", "i1", X=2))) == [(A, 1)]
    assert (balance(stage), balance(stage, SubPool.PRESALE)) == ((7, 5), (0, 0))


def test_presale_takes_nothing_that_was_not_announced() -> None:
    stage = stocked(X=1)
    tell_all(stage, announce(X=2), presale("A", X=2))
    assert filled(stage.tell(receive("f2", X=5))) == []
    assert balance(stage) == (6, 0)


def test_a_presale_may_expire_with_half_of_it_here() -> None:
    stage = stocked(X=1)
    stage.tell(announce(X=4))
    stage.tell(with_terms(presale("A", X=3), expires_at=NOON + MINUTE_MS))
    stage.tell(receive("f2", "i1", X=1))
    assert (balance(stage), balance(stage, SubPool.PRESALE)) == ((2, 1), (3, 2))
    (expired,) = stage.tell(tick(30))
    assert (expired.units, expired.waiting) == (units(X=1), units(X=2))
    assert (balance(stage), balance(stage, SubPool.PRESALE)) == ((2, 0), (3, 0))
    assert names(stage.tell(confirm("A"))) == ["HoldRegained"]
    assert balance(stage, SubPool.PRESALE) == (3, 3)


def test_what_is_in_transit_is_what_was_announced_and_has_not_come() -> None:
    stage = stocked(X=1)
    stage.tell(announce(X=4))
    assert stage.state.in_transit[f"{POOL}|X"] == 4
    stage.tell(receive("f2", "i1", X=3))
    assert stage.state.in_transit[f"{POOL}|X"] == 1
    stage.tell(receive("f3", "i1", X=3))
    assert (stage.state.in_transit[f"{POOL}|X"], balance(stage)) == (0, (7, 0))


def test_one_record_serves_so_many_and_the_next_tick_goes_on() -> None:
    stage = stocked(X=1)
    stage.tell(place("first", X=1))
    waiting = FILLS_PER_RECORD_MAX + 10
    for number in range(waiting):
        stage.tell(patient(str(number), at=NOON + number, X=1))
    assert len(filled(stage.tell(receive("f2", X=waiting + 3)))) == FILLS_PER_RECORD_MAX
    assert names(stage.tell(place("late", X=1))) == ["HoldRefused"], "who is left is not overtaken"
    behind = restored(stage)
    answers = stage.tell(tick(1))
    assert len(filled(answers)) == 10
    assert behind.tell(tick(1)) == answers
    assert (stage.tell(tick(2)), balance(stage)) == ([], (waiting + 4, waiting + 1))
