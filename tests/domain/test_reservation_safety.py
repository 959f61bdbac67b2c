"""Safety levels: the formula, the freeze where a rule asks for it, what people are told, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.domain.reservation.safety import is_hot, level_units, sell
from pipeline.domain.reservation.values import DAY_MS, Safety
from pipeline.domain.stock_commands import DecideHold
from tests.domain.folding import names
from tests.domain.orders import NOON, POOL, order_id
from tests.domain.stock import (
    balance,
    cancel,
    confirm,
    hold_state,
    place,
    receive,
    stocked,
    tell_all,
    tentative,
    tick,
    watch,
    with_terms,
)

if TYPE_CHECKING:
    from pipeline.domain.commands import PlaceHold
    from tests.domain.folding import Folded

GATE = "stock-protection@7"


def sold(*days: int, today: int = 0) -> Safety:
    """Give a SKU of which so many were sold on each of the days before NOON's, the newest first."""
    safety = Safety(5, 0)
    for ago, units in reversed(list(enumerate((today, *days)))):
        safety = sell(safety, NOON - ago * DAY_MS, units)
    return safety


def gated(name: str, /, **counts: int) -> PlaceHold:
    return with_terms(place(name, **counts), stock_gate=GATE)


def approve(name: str) -> DecideHold:
    return DecideHold(at=NOON, pool=POOL, order_id=order_id(name), reviewer="ann", approve=True)


def guarded(**counts: int) -> Folded:
    stage = stocked(**counts)
    stage.tell(watch(0, floor_units=10))
    return stage


def test_the_level_is_the_average_of_seven_days_times_lead_days_and_three() -> None:
    # The requirements' example: 42 a day x (5 + 3) = 336; an article about it prints 252, which is 42 x 6.
    assert level_units(sold(*[42] * 7), NOON) == 336


def test_today_does_not_count_and_neither_does_the_eighth_day() -> None:
    assert level_units(sold(*[42] * 7, today=999), NOON) == 336
    assert level_units(sold(*[42] * 7, 999), NOON) == 336
    assert level_units(sold(*[42] * 7), NOON + DAY_MS) == -(-42 * 6 * 8 // 7)


def test_a_sale_that_is_told_late_counts_on_its_day() -> None:
    assert sell(sold(1, 1, 1), NOON - 2 * DAY_MS, 5).sold[:4] == (0, 1, 6, 1)
    assert sell(sold(1, 1, 1), NOON - 9 * DAY_MS, 5).sold[:4] == (0, 1, 1, 1)


def test_the_floor_counts_where_it_is_higher() -> None:
    assert level_units(Safety(5, 10), NOON) == 10


@pytest.mark.parametrize(
    ("days", "available", "words"),
    [
        ((13, 12, 12, 10, 10, 10, 10), 70, "hot"),
        ((12, 12, 12, 10, 10, 10, 10), 70, "grows by a fifth only"),
        ((13, 12, 12, 10, 10, 10, 10), 77, "lasts a week"),
        ((13, 12, 12, 0, 0, 0, 0), 1, "is new"),
    ],
)
def test_a_hot_seller_grows_by_more_than_a_fifth_and_lasts_less_than_a_week(
    days: tuple[int, ...], available: int, words: str
) -> None:
    assert is_hot(sold(*days), NOON, available) == (words == "hot")


def test_an_order_that_goes_below_the_level_is_frozen_with_its_units_held() -> None:
    stage = guarded(X=12)
    assert names(stage.tell(gated("A", X=2))) == ["HoldPlaced", "RouteOrder"]
    answers = stage.tell(gated("B", X=1))
    assert names(answers) == ["HoldPlaced", "ReplenishmentDue", "RequestReview"]
    placed = next(one for one in answers if type(one).__name__ == "HoldPlaced")
    assert (placed.rule_version, answers[-1].reason) == (GATE, "STOCK_PROTECTION")
    assert (balance(stage), hold_state(stage, "B")) == ((12, 3), "frozen")


def test_a_reviewer_lets_it_go_on_or_not() -> None:
    stage = guarded(X=9)
    tell_all(stage, gated("A", X=1), gated("B", X=1))
    assert names(stage.tell(approve("A"))) == ["HoldDecided", "HoldConfirmed", "RouteOrder"]
    assert names(stage.tell(approve("A"))) == ["HoldRepeated"]
    assert names(stage.tell(cancel("B"))) == ["HoldReleased", "OrderCancelled", "ConfirmCancel"]
    assert balance(stage) == (9, 1)


def test_a_payment_said_again_is_no_approval() -> None:
    stage = guarded(X=9)
    stage.tell(gated("A", X=1))
    assert names(stage.tell(confirm("A"))) == ["HoldRepeated"]


def test_without_a_rule_nothing_is_frozen_and_people_are_told_all_the_same() -> None:
    stage = guarded(X=9)
    assert names(stage.tell(place("A", X=1))) == ["HoldPlaced", "ReplenishmentDue", "RouteOrder"]


def test_an_unpaid_order_is_frozen_when_it_is_paid() -> None:
    stage = guarded(X=9)
    stage.tell(with_terms(tentative("A", X=1), stock_gate=GATE))
    assert names(stage.tell(confirm("A"))) == ["HoldConfirmed", "ReplenishmentDue", "RequestReview"]
    assert hold_state(stage, "A") == "frozen"


def test_replenishment_is_asked_for_once_until_the_stock_is_there_again() -> None:
    stage = guarded(X=9)
    stage.tell(place("A", X=1))
    assert "ReplenishmentDue" not in names(stage.tell(place("B", X=1)))
    stage.tell(receive("f2", X=1))
    assert "ReplenishmentDue" not in names(stage.tell(place("C", X=1)))
    stage.tell(receive("f3", X=9))
    assert "ReplenishmentDue" in names(stage.tell(place("D", X=8)))


def test_what_is_sold_is_counted_when_an_order_goes_on_once() -> None:
    stage = guarded(X=99)
    tell_all(stage, place("A", X=2), tentative("B", X=3))
    assert stage.state.safety[f"{POOL}|X"].sold[0] == 2
    tell_all(stage, confirm("B"), confirm("B"))
    assert stage.state.safety[f"{POOL}|X"].sold[0] == 5


def test_a_hot_seller_is_told_once_a_day() -> None:
    stage = stocked(X=200)
    stage.tell(watch(0))
    for ago in range(7, 0, -1):
        stage.tell(place(f"d{ago}", at=NOON - ago * DAY_MS, X=20 if ago <= 3 else 10))
    assert "HotSeller" in names(stage.tell(place("A", X=50)))
    assert "HotSeller" not in names(stage.tell(place("B", X=1)))
    assert "HotSeller" in names(stage.tell(place("C", at=NOON + DAY_MS, X=1)))


def test_a_reviewer_may_reject_an_order_that_is_frozen_and_its_units_are_free() -> None:
    stage = guarded(X=9)
    stage.tell(gated("A", X=2))
    rejected = DecideHold(
        at=NOON, pool=POOL, order_id=order_id("A"), reviewer="ann", approve=False, note="not worth it"
    )
    answers = stage.tell(rejected)
    assert names(answers) == ["HoldDecided", "HoldReleased", "OrderCancelled", "ConfirmCancel"]
    assert (answers[0].reviewer, answers[0].note, answers[2].reason) == ("ann", "not worth it", "REVIEW_REJECTED")
    assert balance(stage) == (9, 0)
    assert names(stage.tell(rejected)) == ["HoldRepeated"]


def test_a_reviewer_cannot_reject_an_order_that_is_not_frozen() -> None:
    stage = stocked(X=9)
    stage.tell(place("A", X=2))
    late = DecideHold(at=NOON, pool=POOL, order_id=order_id("A"), reviewer="ann", approve=False)
    assert names(stage.tell(late)) == ["HoldRepeated"]
    assert balance(stage) == (9, 2)


def test_a_frozen_order_goes_on_by_itself_once_its_stock_is_there_again() -> None:
    stage = guarded(X=9)
    tell_all(stage, gated("A", X=1), gated("B", X=1))
    assert names(stage.tell(tick(1))) == []
    stage.tell(receive("f2", X=2))
    assert names(stage.tell(tick(1))) == []
    stage.tell(receive("f3", X=1))
    assert names(stage.tell(tick(1))) == ["HoldConfirmed", "RouteOrder"] * 2
    assert (hold_state(stage, "A"), balance(stage)) == ("locked", (12, 2))
    assert names(stage.tell(tick(1))) == []
    assert names(stage.tell(approve("A"))) == ["HoldRepeated"]


def test_a_frozen_order_that_was_cancelled_does_not_come_back() -> None:
    stage = guarded(X=9)
    tell_all(stage, gated("A", X=1), cancel("A"), receive("f2", X=9))
    assert names(stage.tell(tick(1))) == []


def test_after_a_restart_it_is_known_who_is_frozen() -> None:
    stage = guarded(X=9)
    tell_all(stage, gated("A", X=1), receive("f2", X=9))
    stage.state.index.is_built = False  # what a restore leaves: tables, and no queues
    assert names(stage.tell(tick(1))) == ["HoldConfirmed", "RouteOrder"]
