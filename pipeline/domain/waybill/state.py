"""What the waybill stage remembers, and how its facts change that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

import msgspec

from pipeline.domain.commands import Fulfilment
from pipeline.domain.events import CancelRequested
from pipeline.domain.notes import FulfilmentNoted, StopNoted
from pipeline.domain.orders import ShipTo
from pipeline.domain.shipping_events import (
    AnswerIgnored,
    CancelRefused,
    FulfilmentCancelled,
    FulfilmentStopped,
    VoidRequested,
    WaybillClaimed,
    WaybillIssued,
    WaybillRefused,
    WaybillRetried,
    WaybillUnknown,
)

if TYPE_CHECKING:
    from collections.abc import MutableMapping

Event = (
    WaybillClaimed
    | WaybillUnknown
    | WaybillRetried
    | WaybillIssued
    | WaybillRefused
    | VoidRequested
    | FulfilmentCancelled
    | FulfilmentStopped
    | CancelRequested
    | CancelRefused
    | AnswerIgnored
)


class AttemptState(StrEnum):
    """Where the attempt to get a waybill stands."""

    CLAIMED = "claimed"
    """A create call is under way."""
    UNKNOWN = "unknown"
    """A call ended in a way that nobody knows; a query is under way."""
    ISSUED = "issued"
    VOIDING = "void_pending"
    """A void call is under way."""
    CANCELLED = "cancelled"
    COLLECTED = "collected"
    """The carrier has the parcel: it cannot be stopped any more."""
    MANUAL = "manual"
    """The carrier refused, or too many calls ended in nothing: a person must act."""


CLAIMED, ISSUED = AttemptState.CLAIMED, AttemptState.ISSUED
"""For speed: an attribute of an enum takes ten times as long to look up as a name."""
SETTLED = frozenset({AttemptState.ISSUED, AttemptState.CANCELLED, AttemptState.COLLECTED})


class Attempt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One fulfilment order's attempt. What is to be shipped, and where, is kept while another call may need it."""

    state: AttemptState
    tries: int = 0
    """Calls in a row that ended in a way that nobody knows."""
    waybill_no: str = ""
    cancel_reason: str | None = None
    fulfilment: Fulfilment | None = None
    ship_to: ShipTo | None = None

    def is_settled(self) -> bool:
        """Say whether no call is under way, and none to be expected."""
        return self.state in SETTLED and self.fulfilment is None


@dataclass(frozen=True, slots=True)
class State:
    """Both by fulfilment id: `attempts`, and `stops`, those of which routing is to be told what came of it."""

    attempts: MutableMapping[str, Attempt]
    stops: MutableMapping[str, int]


def evolve(state: State, fact: Event | FulfilmentNoted | StopNoted) -> None:
    """Apply a fact."""
    attempts, key = state.attempts, fact.fulfilment_id
    match fact:
        case WaybillClaimed():
            attempts[key] = Attempt(CLAIMED)
        case FulfilmentNoted():
            _note(state, fact)
        case WaybillIssued():
            _issue(state, fact)
        case WaybillUnknown() | WaybillRetried() | WaybillRefused() | CancelRequested() | VoidRequested():
            attempts[key] = _moved(attempts[key], fact)
        case StopNoted():
            state.stops[key] = fact.at
        case FulfilmentCancelled() | FulfilmentStopped():
            attempts[key] = Attempt(AttemptState.CANCELLED)
            state.stops.pop(key, None)
        case CancelRefused():
            _refuse_cancel(state, fact)
            state.stops.pop(key, None)
        case AnswerIgnored():
            pass
        case _:
            assert_never(fact)


_replace = msgspec.structs.replace


def _moved(
    attempt: Attempt, event: WaybillUnknown | WaybillRetried | WaybillRefused | CancelRequested | VoidRequested
) -> Attempt:
    """Give the attempt after an event that leaves what it ships as it is."""
    match event:
        case WaybillUnknown():
            return _replace(attempt, state=AttemptState(event.to_state), tries=event.tries)
        case WaybillRetried():
            return _replace(attempt, state=AttemptState.CLAIMED)
        case WaybillRefused():
            return _replace(attempt, state=AttemptState.MANUAL)
        case CancelRequested():
            return _replace(attempt, cancel_reason=event.reason)
        case VoidRequested():
            return _replace(attempt, state=AttemptState.VOIDING, tries=0, cancel_reason=event.reason)
        case _:
            assert_never(event)


def _note(state: State, note: FulfilmentNoted) -> None:
    attempt = state.attempts[note.fulfilment_id]
    state.attempts[note.fulfilment_id] = _replace(
        attempt, fulfilment=note.fulfilment, ship_to=note.ship_to or attempt.ship_to
    )


def _issue(state: State, event: WaybillIssued) -> None:
    """Keep the number; of the rest only what a cancellation that is under way needs."""
    attempt = state.attempts[event.fulfilment_id]
    reason = attempt.cancel_reason
    fulfilment = None if reason is None else attempt.fulfilment
    state.attempts[event.fulfilment_id] = Attempt(ISSUED, 0, event.waybill_no, reason, fulfilment)


def _refuse_cancel(state: State, event: CancelRefused) -> None:
    """Forget the cancellation. Where the carrier has a parcel whose number we never heard, that is asked for next."""
    attempt = state.attempts[event.fulfilment_id]
    if attempt.waybill_no:
        state.attempts[event.fulfilment_id] = Attempt(AttemptState.COLLECTED, 0, attempt.waybill_no)
    else:
        state.attempts[event.fulfilment_id] = _replace(attempt, state=AttemptState.UNKNOWN, tries=0, cancel_reason=None)
