"""Stops on behalf of routing, which ships another fulfilment order instead: what came of them, it must know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain.commands import (
    CallCarrier,
    CancelFulfilment,
    ReleaseHold,
    StopTracking,
    TrackShipment,
)
from pipeline.domain.notes import FulfilmentNoted, StopNoted
from pipeline.domain.routing_commands import ReportStop
from pipeline.domain.shipping_events import AnswerIgnored, CancelRefused, FulfilmentCancelled, FulfilmentStopped
from pipeline.domain.waybill.state import AttemptState, Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.domain.commands import Fulfilment
    from pipeline.domain.waybill.state import Attempt

Answer = Event | FulfilmentNoted | StopNoted | CallCarrier | TrackShipment | StopTracking | ReleaseHold | ReportStop
Answers = tuple[Answer, ...]


def stop(command: CancelFulfilment, attempt: Attempt | None, answers: Answers) -> Answers:
    """Stop a fulfilment order; `answers` are those to its cancellation."""
    if attempt is not None and attempt.state is AttemptState.COLLECTED:
        return *answers, _report(command.at, command.fulfilment, stopped=False)
    if any(isinstance(answer, AnswerIgnored) for answer in answers):
        return answers
    noted = StopNoted(fulfilment_id=command.fulfilment_id, at=command.at)
    return *told_to_routing(answers, command.fulfilment), *(() if attempt is None else (noted,))


def told_to_routing(answers: Answers, fulfilment: Fulfilment | None) -> Answers:
    """Tell routing what came of a stop, where that is in `answers`; the hold is not released."""
    return tuple(_told(answers, fulfilment))


def _told(answers: Answers, fulfilment: Fulfilment | None) -> Iterator[Answer]:
    for answer in answers:
        match answer:
            case FulfilmentCancelled():
                yield FulfilmentStopped(
                    order_id=answer.order_id,
                    at=answer.at,
                    from_state=answer.from_state,
                    fulfilment_id=answer.fulfilment_id,
                    parts=answer.parts,
                    reason=answer.reason,
                )
            case ReleaseHold(at=at, pool=pool, order_id=order_id, fulfilment_id=key):
                yield ReportStop(at=at, pool=pool, order_id=order_id, fulfilment_id=key, stopped=True)
            case CancelRefused() if fulfilment is not None:
                yield answer
                yield _report(answer.at, fulfilment, stopped=False)
            case _:
                yield answer


def _report(at: int, fulfilment: Fulfilment, *, stopped: bool) -> ReportStop:
    return ReportStop(
        at=at,
        pool=fulfilment.pool,
        order_id=fulfilment.order_id,
        fulfilment_id=fulfilment.fulfilment_id,
        stopped=stopped,
    )
