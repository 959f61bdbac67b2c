"""Time limits of paid orders and of parcels: each said once, by the clock in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.domain.commands import Report, ReportShipment, Tick, TrackShipment
from pipeline.domain.order_policy import OrderPolicy, SetOrderPolicy
from tests.domain.folding import names
from tests.domain.histories import DAY_MS, fulfilment
from tests.domain.orders import HOUR_MS, NOON, order_id
from tests.domain.stages import folded
from tests.domain.stock import (
    MINUTE_MS,
    cancel,
    confirm,
    consume,
    patient,
    place,
    receive,
    restored,
    stocked,
    tell_all,
    tentative,
    tick,
    with_terms,
)

if TYPE_CHECKING:
    from tests.domain.folding import Folded

KEY = f"{order_id('A')}-1"


def said(stage: Folded, minutes: int) -> list[str]:
    """Tick, and give the limits that are said to be passed."""
    return [one.limit for one in stage.tell(tick(minutes)) if type(one).__name__ == "HoldOverdue"]


def test_an_order_is_overdue_two_hours_after_it_was_locked_and_four_after_its_payment() -> None:
    stage = stocked(X=5)
    stage.tell(place("A", X=1))
    assert [said(stage, minutes) for minutes in (119, 120, 121, 239, 240, 999)] == [
        [],
        ["locked"],
        [],
        [],
        ["outbound"],
        [],
    ]


def test_an_order_that_waits_for_stock_is_overdue_after_a_quarter_of_an_hour() -> None:
    stage = stocked(X=5)
    stage.tell(patient("A", X=9))
    assert [said(stage, minutes) for minutes in (14, 15, 16, 240, 999)] == [[], ["routing"], [], ["outbound"], []]


def test_an_order_that_waited_is_watched_from_when_it_went_on() -> None:
    stage = stocked(X=5)
    tell_all(stage, patient("A", X=9), tick(15), receive("f2", at=NOON + 60 * MINUTE_MS, X=9))
    assert [said(stage, minutes) for minutes in (179, 180, 239, 240)] == [[], ["locked"], [], ["outbound"]]


def test_what_was_said_of_an_order_that_waits_is_not_said_again_when_it_goes_on() -> None:
    stage = stocked(X=5)
    tell_all(stage, patient("A", X=9), tick(15), tick(240), receive("f2", at=NOON + 5 * HOUR_MS, X=9))
    assert [said(stage, minutes) for minutes in (300, 999)] == [[], []]


def test_the_four_hours_count_from_the_payment_also_where_a_reviewer_took_long() -> None:
    stage = stocked(X=5)
    stage.tell(with_terms(place("A", X=1), paid_at=NOON - 3 * HOUR_MS))
    assert [said(stage, minutes) for minutes in (59, 60, 999)] == [[], ["outbound"], []]


def test_an_unpaid_order_is_not_overdue_and_a_paid_one_is_from_its_payment() -> None:
    stage = stocked(X=5)
    stage.tell(tentative("A", minutes=200, X=1))
    assert said(stage, 130) == []
    stage.tell(confirm("A", at=NOON + 140 * MINUTE_MS))
    assert [said(stage, minutes) for minutes in (259, 260)] == [[], ["locked"]]


def test_what_has_shipped_or_is_being_cancelled_is_not_overdue() -> None:
    stage = stocked(X=5)
    tell_all(stage, place("A", X=1), place("B", X=1), tick(1), consume("A", X=1), cancel("B"))
    assert said(stage, 999) == []


def test_a_restored_worker_says_what_the_other_would_have_said() -> None:
    stage = stocked(X=9)
    tell_all(stage, *(place(name, X=1) for name in "CAB"), tick(5), consume("B", X=1))
    assert names(restored(stage).tell(tick(300))) == names(stage.tell(tick(300))) == ["HoldOverdue"] * 2


def limits(at: int = NOON, **limits_ms: Any) -> SetOrderPolicy:  # noqa: ANN401
    return SetOrderPolicy(at=at, policy=OrderPolicy(version="short", **limits_ms), author="ann")


def test_the_limits_are_the_policy_s_from_its_record_on_and_one_that_runs_keeps_its_time() -> None:
    stage = stocked(X=5)
    short = {"routing_alarm_ms": MINUTE_MS, "locked_alarm_ms": 2 * MINUTE_MS, "outbound_alarm_ms": 9 * MINUTE_MS}
    tell_all(stage, place("A", X=1), limits(**short), place("B", X=1), patient("C", X=9))
    assert [said(stage, minutes) for minutes in (1, 2, 8, 9, 119, 120)] == [
        ["routing"],
        ["locked"],
        [],
        ["outbound", "outbound"],
        [],
        ["outbound"],
    ]


def test_a_policy_is_replayed_as_it_was_set() -> None:
    stage = stocked(X=5)
    tell_all(stage, limits(locked_alarm_ms=2 * MINUTE_MS), place("A", X=1))
    again = restored(stage)
    assert names(again.tell(tick(2))) == names(stage.tell(tick(2))) == ["HoldOverdue"]
    for other in (stage, again):
        other.tell(place("B", X=1))
    assert again.tables() == stage.tables()


def report(at: int, kind: Report = Report.IN_TRANSIT) -> ReportShipment:
    return ReportShipment(at=at, fulfilment_id=KEY, report_id=str(at), report=kind, code="50", waybill_no="SF1")


def followed(*commands: Any) -> Folded:  # noqa: ANN401
    stage = folded("tracking")
    track = TrackShipment(at=NOON, fulfilment_id=KEY, fulfilment=fulfilment(KEY), carrier="sf", waybill_no="SF1")
    tell_all(stage, track, *commands)
    return stage


def silent(stage: Folded, at: int) -> bool:
    return names(stage.tell(Tick(at=at))) == ["ShipmentSilent"]


def test_a_parcel_that_nobody_heard_of_for_seven_days_is_asked_after_once() -> None:
    stage = followed(report(NOON + DAY_MS))
    assert [silent(stage, NOON + days * DAY_MS) for days in (7, 8, 9, 30)] == [False, True, False, False]


def test_a_parcel_that_was_never_collected_is_asked_after_too() -> None:
    assert silent(followed(), NOON + 7 * DAY_MS)


def test_how_long_a_parcel_may_be_silent_is_the_policy_s_from_the_next_report_on() -> None:
    stage = followed(limits(silent_alarm_ms=DAY_MS))
    assert not silent(stage, NOON + DAY_MS)
    stage.tell(report(NOON + DAY_MS))
    assert [silent(stage, NOON + days * DAY_MS) for days in (1, 2, 3)] == [False, True, False]


def test_a_parcel_that_was_heard_of_again_may_fall_silent_again() -> None:
    stage = followed()
    assert silent(stage, NOON + 7 * DAY_MS)
    stage.tell(report(NOON + 8 * DAY_MS))
    assert [silent(stage, NOON + days * DAY_MS) for days in (14, 15)] == [False, True]


def test_a_parcel_that_has_arrived_is_silent_for_good() -> None:
    assert not silent(followed(Tick(at=NOON), report(NOON + 1, Report.SIGNED)), NOON + 99 * DAY_MS)
