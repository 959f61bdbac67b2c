from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pipeline.domain.commands import (
    Answer,
    CallCarrier,
    CallKind,
    CancelFulfilment,
    IssueWaybill,
    RecordAnswer,
    ReleaseHold,
    TrackShipment,
)
from pipeline.domain.waybill.calls import DELAY_SECONDS_MAX, delay_seconds
from pipeline.domain.waybill.deciding import CALL_TRIES_MAX
from pipeline.domain.waybill.state import AttemptState
from tests.domain.folding import events, names, requests
from tests.domain.histories import fulfilment
from tests.domain.orders import NOON, SHIP_TO, order_id
from tests.domain.stages import folded

if TYPE_CHECKING:
    from tests.domain.folding import Folded

KEY = f"{order_id('A')}-1"
ISSUE = IssueWaybill(at=NOON, fulfilment_id=KEY, fulfilment=fulfilment(KEY), ship_to=SHIP_TO)
CANCEL = CancelFulfilment(at=NOON, fulfilment_id=KEY, fulfilment=fulfilment(KEY), reason="buyer")
CREATE, QUERY, VOID = CallKind.CREATE, CallKind.QUERY, CallKind.VOID
ISSUED = ["WaybillIssued", "TrackShipment"]
VOIDING = ["VoidRequested", "CallCarrier"]
STOPPED = ["FulfilmentCancelled", "ReleaseHold", "StopTracking"]


def answer(kind: CallKind, answered: Answer) -> RecordAnswer:
    number = "SF1" if answered is Answer.OK and kind is not VOID else ""
    return RecordAnswer(
        at=NOON, fulfilment_id=KEY, key=KEY, kind=kind, answer=answered, waybill_no=number, reason="why"
    )


def told(*commands: Any) -> tuple[Folded, list[Any]]:  # noqa: ANN401
    """Tell the stage some commands; give it with the answer to the last one."""
    stage = folded("waybill")
    answers: list[Any] = []
    for command in commands:
        answers = stage.tell(command)
    return stage, answers


def state(stage: Folded) -> AttemptState:
    found: AttemptState = stage.state.attempts[KEY].state
    return found


def call(answers: list[Any]) -> CallCarrier:
    (found,) = (request for request in requests(answers) if isinstance(request, CallCarrier))
    return found


LOST = answer(CREATE, Answer.UNKNOWN)


def test_the_intent_is_on_record_before_the_call_and_the_call_has_its_key() -> None:
    _, answers = told(ISSUE)
    assert names(answers) == ["WaybillClaimed", "CallCarrier"]
    made = call(answers)
    assert (made.kind, made.key, made.ship_to, made.delay_seconds) == (CREATE, answers[0].key, SHIP_TO, 0.0)


def test_a_number_ends_the_attempt_and_the_address_is_forgotten() -> None:
    stage, answers = told(ISSUE, answer(CREATE, Answer.OK))
    assert names(answers) == ISSUED
    attempt = stage.state.attempts[KEY]
    assert (attempt.waybill_no, attempt.fulfilment, attempt.ship_to) == ("SF1", None, None)
    assert names(stage.tell(answer(CREATE, Answer.OK))) == ["AnswerIgnored"]
    assert names(stage.tell(ISSUE)) == ["AnswerIgnored"]


def test_after_an_unknown_outcome_comes_a_query_and_never_a_second_create() -> None:
    _, answers = told(ISSUE, LOST)
    assert names(answers) == ["WaybillUnknown", "CallCarrier"]
    made = call(answers)
    assert (made.kind, made.key, made.delay_seconds) == (QUERY, KEY, delay_seconds(1))


def test_what_a_query_finds_is_taken() -> None:
    assert names(told(ISSUE, LOST, answer(QUERY, Answer.OK))[1]) == ISSUED


def test_only_proven_absence_allows_another_create_under_the_same_key() -> None:
    _, answers = told(ISSUE, LOST, answer(QUERY, Answer.ABSENT))
    assert names(answers) == ["WaybillRetried", "CallCarrier"]
    made = call(answers)
    assert (made.kind, made.key, made.units, made.ship_to) == (CREATE, KEY, ISSUE.fulfilment.units, SHIP_TO)


def test_a_late_number_counts_whichever_call_it_answers() -> None:
    assert names(told(ISSUE, LOST, answer(CREATE, Answer.OK))[1]) == ISSUED


def test_a_late_answer_without_a_number_does_not() -> None:
    assert names(told(ISSUE, LOST, LOST)[1]) == ["AnswerIgnored"]
    assert names(told(ISSUE, answer(QUERY, Answer.ABSENT))[1]) == ["AnswerIgnored"]
    assert names(told(answer(CREATE, Answer.OK))[1]) == ["AnswerIgnored"]


def test_ok_without_a_number_is_not_known() -> None:
    empty = msgspec.structs.replace(answer(CREATE, Answer.OK), waybill_no="")
    assert names(told(ISSUE, empty)[1]) == ["WaybillUnknown", "CallCarrier"]


def test_each_try_waits_longer_up_to_a_bound_and_then_a_person_is_asked() -> None:
    stage, _ = told(ISSUE, LOST)
    again = [call(stage.tell(answer(QUERY, Answer.UNKNOWN))) for _ in range(CALL_TRIES_MAX - 1)]
    delays = [query.delay_seconds for query in again]
    assert delays == sorted(delays)
    assert delays[-1] == DELAY_SECONDS_MAX
    (refused,) = stage.tell(answer(QUERY, Answer.UNKNOWN))
    assert (type(refused).__name__, refused.reason) == ("WaybillRefused", "TOO_MANY_TRIES")
    assert names(stage.tell(answer(QUERY, Answer.OK))) == ISSUED, "a late number is still true"


def test_a_refusal_goes_to_a_person_with_its_reason() -> None:
    stage, (refused,) = told(ISSUE, answer(CREATE, Answer.REFUSED))
    assert (type(refused).__name__, refused.reason) == ("WaybillRefused", "why")
    assert state(stage) is AttemptState.MANUAL


@pytest.mark.parametrize("before", [(ISSUE,), (ISSUE, LOST), (ISSUE, LOST, answer(QUERY, Answer.ABSENT))])
def test_a_cancellation_before_the_answer_waits_for_it(before: tuple[Any, ...]) -> None:
    stage, answers = told(*before, CANCEL)
    assert names(answers) == ["CancelRequested"]
    assert names(stage.tell(CANCEL)) == ["AnswerIgnored"]
    assert names(stage.tell(answer(CREATE, Answer.OK))) == [*ISSUED, *VOIDING]


def test_a_refused_create_after_a_cancellation_frees_the_units() -> None:
    _, answers = told(ISSUE, CANCEL, answer(CREATE, Answer.REFUSED))
    assert names(answers) == ["FulfilmentCancelled", "ReleaseHold"]


def test_an_absent_one_is_voided_all_the_same_since_a_create_may_be_late() -> None:
    stage, answers = told(ISSUE, LOST, CANCEL, answer(QUERY, Answer.ABSENT))
    assert names(answers) == VOIDING
    assert names(stage.tell(answer(VOID, Answer.ABSENT))) == STOPPED


@pytest.mark.parametrize("answered", [Answer.OK, Answer.ABSENT])
def test_a_cancellation_after_the_answer_voids_the_waybill_and_then_frees_the_units(answered: Answer) -> None:
    stage, answers = told(ISSUE, answer(CREATE, Answer.OK), CANCEL)
    assert names(answers) == VOIDING
    assert (call(answers).kind, call(answers).waybill_no) == (VOID, "SF1")
    assert names(stage.tell(CANCEL)) == ["AnswerIgnored"]
    stopped = stage.tell(answer(VOID, answered))
    assert names(stopped) == STOPPED
    (release,) = (request for request in requests(stopped) if isinstance(request, ReleaseHold))
    assert (release.units, release.pool, release.order_id) == (
        CANCEL.fulfilment.units,
        CANCEL.fulfilment.pool,
        order_id("A"),
    )
    assert stopped[0].parts == CANCEL.fulfilment.parts
    assert names(stage.tell(answer(VOID, answered))) == ["AnswerIgnored"]


def test_a_parcel_that_was_collected_cannot_be_stopped() -> None:
    stage, answers = told(ISSUE, answer(CREATE, Answer.OK), CANCEL, answer(VOID, Answer.REFUSED))
    assert names(answers) == ["CancelRefused"]
    assert state(stage) is AttemptState.COLLECTED
    assert names(stage.tell(CANCEL)) == ["AnswerIgnored"]


def test_a_parcel_that_was_collected_under_a_number_we_never_heard_is_asked_for() -> None:
    stage, answers = told(ISSUE, LOST, CANCEL, answer(QUERY, Answer.ABSENT), answer(VOID, Answer.REFUSED))
    assert names(answers) == ["CancelRefused", "CallCarrier"]
    assert call(answers).kind is QUERY
    assert names(stage.tell(answer(QUERY, Answer.OK))) == ISSUED


def test_an_unknown_void_is_repeated_and_then_a_person_is_asked() -> None:
    stage, _ = told(ISSUE, answer(CREATE, Answer.OK), CANCEL)
    for _ in range(CALL_TRIES_MAX):
        again = stage.tell(answer(VOID, Answer.UNKNOWN))
        assert names(again) == ["WaybillUnknown", "CallCarrier"]
        assert (call(again).kind, state(stage)) == (VOID, AttemptState.VOIDING)
    assert names(stage.tell(answer(VOID, Answer.UNKNOWN))) == ["WaybillRefused"]


def test_queries_in_vain_after_a_cancellation_end_in_a_void() -> None:
    stage, answers = told(ISSUE, LOST, CANCEL, *[answer(QUERY, Answer.UNKNOWN)] * CALL_TRIES_MAX)
    assert names(answers) == VOIDING
    assert names(stage.tell(answer(VOID, Answer.ABSENT))) == STOPPED


@pytest.mark.parametrize("answered", [Answer.REFUSED, Answer.UNKNOWN])
def test_what_waits_for_a_person_can_still_be_cancelled(answered: Answer) -> None:
    tries = [answer(QUERY, answered)] * CALL_TRIES_MAX
    stage, _ = told(ISSUE, LOST, *tries)
    assert state(stage) is AttemptState.MANUAL
    assert names(stage.tell(CANCEL)) == VOIDING
    assert names(stage.tell(answer(VOID, Answer.ABSENT))) == STOPPED


def test_a_cancellation_before_everything_ends_it() -> None:
    stage, answers = told(CANCEL)
    assert names(answers) == ["FulfilmentCancelled", "ReleaseHold"]
    assert names(stage.tell(ISSUE)) == ["AnswerIgnored"]


def test_no_event_carries_personal_data() -> None:
    stage = folded("waybill")
    commands = (ISSUE, LOST, answer(QUERY, Answer.OK), CANCEL, answer(VOID, Answer.OK))
    answers = [found for command in commands for found in stage.tell(command)]
    told_all = msgspec.json.encode(events(answers)).decode()
    assert not [text for text in (SHIP_TO.name, SHIP_TO.phone, SHIP_TO.address_detail) if text in told_all]
    assert any(isinstance(request, TrackShipment) for request in requests(answers))
