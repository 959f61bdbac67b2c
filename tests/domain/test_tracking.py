from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.domain.commands import ConsumeHold, Report, ReportShipment, StopTracking, TrackShipment
from pipeline.domain.tracking.state import NEXT, PARKED_REPORTS_MAX, Status
from tests.domain.folding import names, requests
from tests.domain.histories import fulfilment
from tests.domain.orders import NOON, order_id
from tests.domain.stages import folded

if TYPE_CHECKING:
    from tests.domain.folding import Folded

KEY = f"{order_id('A')}-1"
TRACK = TrackShipment(at=NOON, fulfilment_id=KEY, fulfilment=fulfilment(KEY), carrier="sf", waybill_no="SF1")
STOP = StopTracking(at=NOON, fulfilment_id=KEY)


def report(kind: Report, at: int = 1, report_id: str = "") -> ReportShipment:
    return ReportShipment(
        at=NOON + at,
        fulfilment_id=KEY,
        report_id=report_id or f"{kind}-{at}",
        report=kind,
        code="50",
        waybill_no="SF1",
    )


def told(*commands: Any) -> tuple[Folded, list[Any]]:  # noqa: ANN401
    """Tell the stage some commands; give it with the answer to the last one."""
    stage = folded("tracking")
    answers: list[Any] = []
    for command in commands:
        answers = stage.tell(command)
    return stage, answers


def status(stage: Folded) -> Status:
    found: Status = stage.state.shipments[KEY].status
    return found


JOURNEY = (Report.COLLECTED, Report.IN_TRANSIT, Report.IN_TRANSIT, Report.OUT_FOR_DELIVERY, Report.SIGNED)


def test_a_parcel_goes_its_way() -> None:
    stage, answers = told(TRACK)
    assert names(answers) == ["ShipmentTracked"]
    for at, step in enumerate(JOURNEY, 1):
        assert names(stage.tell(report(step, at)))[0] == "ShipmentMoved"
    assert status(stage) is Status.SIGNED


def test_the_first_sign_that_it_left_consumes_its_units_and_no_other_does() -> None:
    stage, answers = told(TRACK, report(Report.COLLECTED))
    (moved, consume) = answers
    assert moved.outbound
    assert consume == ConsumeHold(
        at=NOON + 1,
        pool=TRACK.fulfilment.pool,
        order_id=order_id("A"),
        fulfilment_id=KEY,
        units=TRACK.fulfilment.units,
        warehouse=TRACK.fulfilment.warehouse,
    )
    (moved,) = stage.tell(report(Report.IN_TRANSIT, 2))
    assert not moved.outbound


@pytest.mark.parametrize("first", [Report.IN_TRANSIT, Report.OUT_FOR_DELIVERY, Report.SIGNED, Report.RETURNED])
def test_reports_may_be_lost(first: Report) -> None:
    _, answers = told(TRACK, report(first))
    assert names(answers) == ["ShipmentMoved", "ConsumeHold"]


def test_an_exception_before_the_collection_is_no_sign_that_it_left() -> None:
    stage, answers = told(TRACK, report(Report.EXCEPTION))
    assert names(answers) == ["ShipmentMoved"]
    assert names(stage.tell(report(Report.COLLECTED, 2))) == ["ShipmentMoved", "ConsumeHold"]
    assert names(stage.tell(report(Report.EXCEPTION, 3))) == ["ShipmentMoved"]
    assert names(stage.tell(report(Report.IN_TRANSIT, 4))) == ["ShipmentMoved"]


@pytest.mark.parametrize(
    ("late", "reason"),
    [
        (report(Report.COLLECTED, 0), "OLDER"),
        (report(Report.IN_TRANSIT, 5, "same"), "REPEATED"),
        (report(Report.COLLECTED, 9), "NO_LEGAL_MOVE"),
        (report(Report.OTHER, 9), "UNKNOWN_CODE"),
    ],
)
def test_a_report_that_moves_nothing_says_why(late: ReportShipment, reason: str) -> None:
    stage, (ignored,) = told(TRACK, report(Report.IN_TRANSIT, 5, "same"), late)
    assert (type(ignored).__name__, ignored.reason, ignored.to_state) == ("ReportIgnored", reason, "in_transit")
    assert status(stage) is Status.IN_TRANSIT


def test_what_was_signed_can_only_come_back() -> None:
    assert set(NEXT[Status.SIGNED]) == {Report.RETURNING, Report.RETURNED}
    stage, _ = told(TRACK, report(Report.SIGNED), report(Report.RETURNING, 2), report(Report.IN_TRANSIT, 3))
    assert status(stage) is Status.RETURNING
    stage.tell(report(Report.RETURNED, 4))
    assert status(stage) is Status.RETURNED


def test_the_table_of_moves_knows_every_status_and_no_code_that_nobody_knows() -> None:
    assert set(NEXT) == set(Status)
    assert all(Report.OTHER not in moves for moves in NEXT.values())


def test_only_a_parcel_on_its_way_stays_where_it_is() -> None:
    assert {state for state, moves in NEXT.items() if state in moves.values()} == {Status.IN_TRANSIT, Status.RETURNING}


def test_reports_before_their_parcel_are_applied_when_it_comes_by_their_time() -> None:
    stage, answers = told(report(Report.SIGNED, 3), report(Report.COLLECTED, 1))
    assert names(answers) == ["ReportParked"]
    assert stage.tell(report(Report.SIGNED, 3))[0].reason == "REPEATED"
    answers = stage.tell(TRACK)
    assert names(answers) == ["ShipmentTracked", "ShipmentMoved", "ConsumeHold", "ShipmentMoved"]
    assert [answers[1].to_state, answers[3].to_state] == ["collected", "signed"]
    assert (status(stage), stage.state.parked) == (Status.SIGNED, {})


def test_of_many_parked_reports_the_newest_are_kept() -> None:
    stage, _ = told(*(report(Report.IN_TRANSIT, at) for at in range(1, PARKED_REPORTS_MAX + 4)))
    reports = stage.state.parked[KEY].reports
    assert (len(reports), reports[-1].at) == (PARKED_REPORTS_MAX, NOON + PARKED_REPORTS_MAX + 3)


def test_a_parcel_is_tracked_once() -> None:
    assert told(TRACK, TRACK)[1][0].reason == "REPEATED"


def test_a_stopped_parcel_that_moves_all_the_same_is_seen() -> None:
    stage, answers = told(TRACK, STOP)
    assert names(answers) == ["TrackingStopped"]
    assert stage.tell(report(Report.COLLECTED))[0].reason == "MOVED_ALTHOUGH_STOPPED"
    assert stage.tell(report(Report.EXCEPTION, 2))[0].reason == "NO_LEGAL_MOVE"
    assert stage.tell(STOP)[0].reason == "REPEATED"
    assert not requests(stage.tell(report(Report.SIGNED, 3)))


def test_stopping_a_parcel_that_moves_is_refused() -> None:
    stage, (ignored,) = told(TRACK, report(Report.COLLECTED), STOP)
    assert ignored.reason == "STOPPED_ALTHOUGH_MOVED"
    assert status(stage) is Status.COLLECTED


def test_stopping_a_parcel_that_was_never_tracked_answers_the_reports_that_wait_for_it() -> None:
    stage, answers = told(report(Report.COLLECTED), STOP)
    assert names(answers) == ["TrackingStopped", "ReportIgnored"]
    assert answers[1].reason == "MOVED_ALTHOUGH_STOPPED"
    assert stage.state.parked == {}
