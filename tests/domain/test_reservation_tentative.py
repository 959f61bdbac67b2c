"""Holds that are not paid yet: they expire, are confirmed, are paid too late; each unit is counted once throughout."""

from __future__ import annotations

import pytest

from pipeline.domain.events import RefundDue
from pipeline.domain.orders import SubPool
from tests.domain.folding import events, names, requests
from tests.domain.orders import NOON, SHIP_TO, order_id, units
from tests.domain.stock import (
    MINUTE_MS,
    balance,
    cancel,
    confirm,
    expedite,
    hold_state,
    patient,
    place,
    restored,
    stocked,
    tell_all,
    tentative,
    tick,
    trim,
    with_terms,
)


def test_an_unpaid_order_holds_its_units_and_does_not_go_on() -> None:
    stage = stocked(X=5)
    assert names(stage.tell(tentative("A", X=3))) == ["HoldPlaced"]
    assert (balance(stage), hold_state(stage, "A")) == ((5, 3), "tentative")


def test_it_goes_on_when_it_is_paid_with_all_that_routing_needs() -> None:
    stage = stocked(X=5)
    stage.tell(tentative("A", X=3))
    answers = stage.tell(confirm("A"))
    assert names(answers) == ["HoldConfirmed", "RouteOrder"]
    (route,) = requests(answers)
    assert (route.units, route.ship_to) == (units(X=3), SHIP_TO)  # type: ignore[attr-defined]
    assert stage.state.pending == {}, "the address is not kept any longer"


def test_nothing_expires_before_its_time_and_everything_at_it() -> None:
    stage = stocked(X=5)
    stage.tell(tentative("A", minutes=30, X=3))
    assert stage.tell(tick(29)) == []
    assert names(stage.tell(tick(30))) == ["HoldExpired"]
    assert (balance(stage), hold_state(stage, "A")) == ((5, 0), "expired")
    assert stage.tell(tick(31)) == []


def test_a_confirmed_hold_does_not_expire() -> None:
    stage = stocked(X=5)
    tell_all(stage, tentative("A", X=3), confirm("A"))
    assert stage.tell(tick(60)) == []
    assert balance(stage) == (5, 3)


def test_without_a_tick_a_late_payment_finds_its_hold() -> None:
    stage = stocked(X=5)
    stage.tell(tentative("A", minutes=30, X=3))
    assert names(stage.tell(confirm("A", at=NOON + 40 * MINUTE_MS)))[0] == "HoldConfirmed"


def test_a_payment_after_expiry_holds_once_more_what_is_still_there() -> None:
    stage = stocked(X=5)
    tell_all(stage, tentative("A", X=3), tick(30))
    assert names(stage.tell(confirm("A"))) == ["HoldRegained", "RouteOrder"]
    assert names(stage.tell(confirm("A"))) == ["HoldRepeated"]
    assert balance(stage) == (5, 3)


def test_and_else_the_money_is_due_back() -> None:
    stage = stocked(X=5)
    tell_all(stage, tentative("A", X=3), tick(30), place("B", X=4))
    (refund,) = stage.tell(confirm("A"))
    assert isinstance(refund, RefundDue)
    assert (refund.from_state, refund.paid_minor) == ("expired", 100)
    assert names(stage.tell(confirm("A"))) == ["HoldRepeated"], "once"
    assert balance(stage) == (5, 4)


def test_the_own_hold_never_blocks_its_owner() -> None:
    stage = stocked(X=3)
    stage.tell(tentative("A", X=3))
    (repeated,) = stage.tell(tentative("A", X=3))
    assert repeated.answer == "tentative"
    assert names(stage.tell(confirm("A"))) == ["HoldConfirmed", "RouteOrder"]


def test_the_cancellation_of_an_unpaid_order_frees_its_units_at_once() -> None:
    stage = stocked(X=5)
    stage.tell(tentative("A", X=3))
    assert names(stage.tell(cancel("A"))) == ["HoldReleased"]
    assert names(stage.tell(cancel("A"))) == ["HoldRepeated"]
    assert names(stage.tell(confirm("A"))) == ["HoldRepeated"]
    assert balance(stage) == (5, 0)


def test_the_cancellation_of_an_expired_one_forgets_its_address() -> None:
    stage = stocked(X=5)
    tell_all(stage, tentative("A", X=3), tick(30), cancel("A"))
    assert stage.state.pending == {}
    assert (balance(stage), hold_state(stage, "A")) == ((5, 0), "released")


def test_those_whose_time_is_over_expire_in_the_order_of_their_time() -> None:
    stage = stocked(X=5)
    tell_all(stage, tentative("A", minutes=20, X=1), tentative("B", minutes=10, X=1), tentative("C", minutes=50, X=1))
    assert [event.order_id for event in events(stage.tell(tick(30)))] == [order_id("B"), order_id("A")]


def test_a_restored_stage_knows_what_is_due_as_one_that_went_on() -> None:
    stage = stocked(X=5)
    tell_all(stage, tentative("A", minutes=20, X=1), tentative("B", minutes=10, X=1))
    assert restored(stage).tell(tick(30)) == stage.tell(tick(30))


def test_a_partial_cancellation_keeps_the_rest() -> None:
    stage = stocked(X=5, Y=2)
    stage.tell(tentative("A", X=3, Y=2))
    (trimmed,) = stage.tell(trim("A", X=1, Y=2))
    assert (trimmed.units, balance(stage), balance(stage, sku="Y")) == (units(X=1, Y=2), (5, 2), (2, 0))
    (route,) = requests(stage.tell(confirm("A")))
    assert route.units == units(X=2)  # type: ignore[attr-defined]


def test_it_counts_once() -> None:
    stage = stocked(X=5)
    stage.tell(tentative("A", X=3))
    stage.tell(trim("A", X=1))
    assert names(stage.tell(trim("A", X=1))) == ["HoldRepeated"]
    assert names(stage.tell(trim("A", "t2", X=1))) == ["HoldTrimmed"]
    assert balance(stage) == (5, 1)


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({"X": 4}, "NOT_OUTSTANDING"),
        ({"Y": 1}, "NOT_OUTSTANDING"),
        ({}, "NOT_OUTSTANDING"),
        ({"X": 3}, "NOTHING_WOULD_BE_LEFT"),
    ],
)
def test_it_takes_no_more_than_is_wanted_and_leaves_something(counts: dict[str, int], reason: str) -> None:
    stage = stocked(X=5, Y=5)
    stage.tell(tentative("A", X=3))
    (refused,) = stage.tell(trim("A", **counts))
    assert (refused.reason, balance(stage)) == (reason, (5, 3))


def test_after_routing_it_is_refused() -> None:
    stage = stocked(X=5)
    stage.tell(place("A", X=3))
    (refused,) = stage.tell(trim("A", X=1))
    assert (refused.reason, balance(stage)) == ("ALREADY_ROUTED", (5, 3))


def test_an_order_that_is_held_is_expedited_in_routing() -> None:
    stage = stocked(X=5)
    assert names(stage.tell(expedite("A", 9))) == ["HoldRepeated"]
    stage.tell(place("A", X=3))
    assert names(stage.tell(expedite("A", 9))) == ["HoldExpedited", "ExpediteRoute"]


def test_an_order_may_wait_and_be_unpaid_at_once() -> None:
    stage = stocked(X=1)
    stage.tell(with_terms(patient("A", X=3), expires_at=NOON + MINUTE_MS))
    assert (balance(stage), hold_state(stage, "A")) == ((1, 1), "tentative")
    assert names(stage.tell(confirm("A"))) == ["HoldConfirmed"]
    assert hold_state(stage, "A") == "waiting"


def test_no_order_is_held_from_what_is_kept_for_safety() -> None:
    stage = stocked(X=5)
    (refused,) = stage.tell(with_terms(place("A", X=1), sub_pool=SubPool.SAFETY))
    assert refused.reason == "SHORTAGE"


def test_an_order_that_was_refused_before_it_was_paid_gets_its_money_back_once() -> None:
    stage = stocked(X=1)
    assert names(stage.tell(tentative("A", X=2))) == ["HoldRefused"]
    assert names(stage.tell(confirm("A"))) == ["RefundDue"]
    assert names(stage.tell(confirm("A"))) == ["HoldRepeated"]
    assert hold_state(stage, "A") == "refund_due"
