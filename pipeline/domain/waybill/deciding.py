"""Waybill: gets one waybill for each fulfilment order, and never two, from carriers that may not answer.

The intent comes first: a call is made under a key (the fulfilment order's id) that is on record before. Only three
answers say something: OK, REFUSED, ABSENT. After UNKNOWN the carrier may or may not have acted, so the next call is a
query by the same key, and only its ABSENT allows another create, under the same key again.

A cancellation that comes before the answer waits for it. One that comes after voids the waybill. The units are released
when it is certain that nothing ships: a void that was answered with OK or ABSENT, or a create that was refused. Where
routing stops a part to ship it from elsewhere, its units stay held, and routing is told instead (`stops`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from pipeline.domain import reasons
from pipeline.domain.commands import (
    Answer,
    CallKind,
    CancelFulfilment,
    Fulfilment,
    IssueWaybill,
    RecordAnswer,
    ReleaseHold,
    StopTracking,
    TrackShipment,
)
from pipeline.domain.errors import InvariantError
from pipeline.domain.events import CancelRequested
from pipeline.domain.notes import FulfilmentNoted
from pipeline.domain.orders import order_of
from pipeline.domain.shipping_events import (
    AnswerIgnored,
    CancelRefused,
    FulfilmentCancelled,
    VoidRequested,
    WaybillClaimed,
    WaybillIssued,
    WaybillRefused,
    WaybillRetried,
    WaybillUnknown,
)
from pipeline.domain.waybill.calls import CARRIER, call_again, create_call, delay_seconds
from pipeline.domain.waybill.state import Attempt, AttemptState, State, evolve
from pipeline.domain.waybill.stops import Answers, stop, told_to_routing

if TYPE_CHECKING:
    from pipeline.domain.commands import WaybillCommand

__all__ = ["State", "decide", "evolve"]

CALL_TRIES_MAX = 20
"""Calls in a row without an answer; with the delays between them about eight minutes of a carrier that is gone."""
AWAITED = {AttemptState.CLAIMED: CallKind.CREATE, AttemptState.UNKNOWN: CallKind.QUERY}
"""The call that is under way in a state; the answer to any other is late or repeated."""
UNSETTLED = frozenset({AttemptState.CLAIMED, AttemptState.UNKNOWN, AttemptState.MANUAL})
VOID, OK = CallKind.VOID, Answer.OK
VOIDABLE = frozenset({AttemptState.ISSUED, AttemptState.MANUAL})


def decide(state: State, command: WaybillCommand) -> Answers:
    """Answer a command."""
    attempt = state.attempts.get(command.fulfilment_id)
    match command:
        case IssueWaybill():
            return _claim(command) if attempt is None else (_ignored(command, reasons.REPEATED),)
        case RecordAnswer():
            if attempt is None:
                return (_ignored(command, reasons.NEVER_ASKED),)
            answers = _record(command, attempt)
            return told_to_routing(answers, attempt.fulfilment) if command.fulfilment_id in state.stops else answers
        case CancelFulfilment():
            return (
                stop(command, attempt, _cancel(command, attempt)) if command.keeps_hold else _cancel(command, attempt)
            )
        case _:
            assert_never(command)


def _claim(command: IssueWaybill) -> Answers:
    """Put the intent on record, and make the first call."""
    key, fulfilment = command.fulfilment_id, command.fulfilment
    claimed = WaybillClaimed(
        order_id=fulfilment.order_id,
        at=command.at,
        fulfilment_id=key,
        warehouse=fulfilment.warehouse,
        carrier=CARRIER,
        key=key,
    )
    note = FulfilmentNoted(fulfilment_id=key, fulfilment=fulfilment, ship_to=command.ship_to)
    return claimed, note, create_call(command, fulfilment, command.ship_to)


def _record(command: RecordAnswer, attempt: Attempt) -> Answers:
    """Take a carrier's answer, if it is still of use."""
    if command.kind is VOID:
        if attempt.state is not AttemptState.VOIDING:
            return (_ignored(command, reasons.SETTLED),)
        return _voided(command, attempt)
    if attempt.state not in UNSETTLED or attempt.waybill_no:
        return (_ignored(command, reasons.SETTLED),)
    if command.answer is OK and command.waybill_no:
        # A number is proof, whichever call brought it.
        return _issued(command, attempt)
    if command.kind is not AWAITED.get(attempt.state):
        return (_ignored(command, reasons.REPEATED),)
    return _not_issued(command, attempt)


def _not_issued(command: RecordAnswer, attempt: Attempt) -> Answers:
    """Take an answer that brought no number, to the call that is under way."""
    answer = command.answer
    if answer is Answer.REFUSED:
        return _refused(command, attempt)
    if answer is Answer.ABSENT and command.kind is CallKind.QUERY:
        return _absent(command, attempt)
    return _unknown(command, attempt)


def _issued(command: RecordAnswer, attempt: Attempt) -> Answers:
    """Take the waybill number. The parcel is followed from here on, even if it is to be stopped: it may ship yet."""
    fulfilment = _fulfilment(attempt, command)
    key, at = command.fulfilment_id, command.at
    issued = WaybillIssued(
        order_id=fulfilment.order_id,
        at=at,
        from_state=attempt.state,
        fulfilment_id=key,
        warehouse=fulfilment.warehouse,
        carrier=CARRIER,
        key=key,
        waybill_no=command.waybill_no,
    )
    track = TrackShipment(
        at=at, fulfilment_id=key, fulfilment=fulfilment, carrier=CARRIER, waybill_no=command.waybill_no
    )
    if attempt.cancel_reason is None:
        return issued, track
    return issued, track, *_void(command, AttemptState.ISSUED, attempt.cancel_reason, command.waybill_no)


def _refused(command: RecordAnswer, attempt: Attempt) -> Answers:
    """Take a refusal: nothing ships."""
    if attempt.cancel_reason is not None:
        return _cancelled(command, attempt.state, _fulfilment(attempt, command), attempt.cancel_reason)
    return (_give_up(command, attempt, command.reason),)


def _absent(command: RecordAnswer, attempt: Attempt) -> Answers:
    """Try again under the same key; or, where it is to be stopped, make sure that a late create finds it voided."""
    fulfilment, key = _fulfilment(attempt, command), command.fulfilment_id
    if attempt.cancel_reason is not None:
        return _void(command, attempt.state, attempt.cancel_reason, "")
    retried = WaybillRetried(
        order_id=fulfilment.order_id, at=command.at, fulfilment_id=key, carrier=CARRIER, key=key, tries=attempt.tries
    )
    return retried, create_call(command, fulfilment, attempt.ship_to)


def _unknown(command: RecordAnswer, attempt: Attempt) -> Answers:
    """Ask again after an outcome that nobody knows, later each time: a query, or the void, which may be repeated."""
    key, tries = command.fulfilment_id, attempt.tries + 1
    voiding = attempt.state is AttemptState.VOIDING
    if tries > CALL_TRIES_MAX:
        if attempt.cancel_reason is not None and not voiding:
            # It is to be stopped anyhow, and a void says as much as a query.
            return _void(command, attempt.state, attempt.cancel_reason, "")
        return (_give_up(command, attempt, reasons.TOO_MANY_TRIES),)
    unknown = WaybillUnknown(
        order_id=order_of(key),
        at=command.at,
        from_state=attempt.state,
        to_state=AttemptState.VOIDING if voiding else AttemptState.UNKNOWN,
        fulfilment_id=key,
        carrier=CARRIER,
        key=key,
        tries=tries,
        reason=command.reason,
    )
    kind = CallKind.VOID if voiding else CallKind.QUERY
    return unknown, call_again(command, kind, attempt.waybill_no, delay_seconds(tries))


def _give_up(command: RecordAnswer, attempt: Attempt, reason: str) -> WaybillRefused:
    return WaybillRefused(
        order_id=order_of(command.fulfilment_id),
        at=command.at,
        from_state=attempt.state,
        fulfilment_id=command.fulfilment_id,
        carrier=CARRIER,
        key=command.fulfilment_id,
        reason=reason,
    )


def _voided(command: RecordAnswer, attempt: Attempt) -> Answers:
    """Take the answer to a void."""
    match command.answer:
        case Answer.OK | Answer.ABSENT:
            reason = attempt.cancel_reason or ""
            cancelled = _cancelled(command, attempt.state, _fulfilment(attempt, command), reason)
            return *cancelled, StopTracking(at=command.at, fulfilment_id=command.fulfilment_id)
        case Answer.REFUSED:
            to_state = AttemptState.COLLECTED if attempt.waybill_no else AttemptState.UNKNOWN
            refused = CancelRefused(
                order_id=order_of(command.fulfilment_id),
                at=command.at,
                from_state=attempt.state,
                to_state=to_state,
                fulfilment_id=command.fulfilment_id,
                reason=command.reason,
            )
            return (refused,) if attempt.waybill_no else (refused, call_again(command, CallKind.QUERY, "", 0.0))
        case Answer.UNKNOWN:
            return _unknown(command, attempt)
        case _:
            assert_never(command.answer)


def _cancel(command: CancelFulfilment, attempt: Attempt | None) -> Answers:
    """Stop a fulfilment order: at once, when the answer is there, or by a void."""
    if attempt is None:
        return _cancelled(command, "", command.fulfilment, command.reason)
    if attempt.state in VOIDABLE:
        note = FulfilmentNoted(fulfilment_id=command.fulfilment_id, fulfilment=command.fulfilment)
        return note, *_void(command, attempt.state, command.reason, attempt.waybill_no)
    if attempt.state not in AWAITED or attempt.cancel_reason is not None:
        return (_ignored(command, reasons.SETTLED),)
    requested = CancelRequested(
        order_id=command.fulfilment.order_id,
        at=command.at,
        from_state=attempt.state,
        to_state=attempt.state,
        fulfilment_id=command.fulfilment_id,
        reason=command.reason,
    )
    return (requested,)


def _void(command: RecordAnswer | CancelFulfilment, from_state: str, reason: str, waybill_no: str) -> Answers:
    """Void by key: it stops what the carrier has, known to us or not."""
    requested = VoidRequested(
        order_id=order_of(command.fulfilment_id),
        at=command.at,
        from_state=from_state,
        fulfilment_id=command.fulfilment_id,
        carrier=CARRIER,
        reason=reason,
    )
    return requested, call_again(command, CallKind.VOID, waybill_no, 0.0)


def _cancelled(
    command: RecordAnswer | CancelFulfilment, from_state: str, fulfilment: Fulfilment, reason: str
) -> Answers:
    """Say for certain that a fulfilment order will not ship, and free its units."""
    order_id, at, key = fulfilment.order_id, command.at, command.fulfilment_id
    cancelled = FulfilmentCancelled(
        order_id=order_id, at=at, from_state=from_state, fulfilment_id=key, parts=fulfilment.parts, reason=reason
    )
    release = ReleaseHold(
        at=at, pool=fulfilment.pool, order_id=order_id, fulfilment_id=key, units=fulfilment.units, reason=reason
    )
    return cancelled, release


def _fulfilment(attempt: Attempt, command: RecordAnswer) -> Fulfilment:
    if attempt.fulfilment is None:
        message = f"{command.fulfilment_id}: {attempt.state}, and nothing says what is to be shipped"
        raise InvariantError(message)
    return attempt.fulfilment


def _ignored(command: WaybillCommand, reason: str) -> AnswerIgnored:
    fulfilment_id = command.fulfilment_id
    return AnswerIgnored(order_id=order_of(fulfilment_id), at=command.at, fulfilment_id=fulfilment_id, reason=reason)
