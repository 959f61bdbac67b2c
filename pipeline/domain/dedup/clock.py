"""What time brings: payments that do not come, reviews that wait too long, claims that run out, refunds that are late.

Time comes as Ticks in the log, so that a replay has it at the same records. Each deadline that is due has its answer
once. Of one order only one is answered in a Tick, of all only the first few, and a cancellation that lets others go
alone: the next Tick has the rest. The clock itself is remembered: a limit of what comes late counts from then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain import reasons
from pipeline.domain.dedup.flow import Answer, cancel
from pipeline.domain.dedup.notes import ClockNoted
from pipeline.domain.dedup.review_state import LEASE, OVERDUE, find_hold
from pipeline.domain.dedup.state import CANCEL, CLOCK, UNPAID
from pipeline.domain.dedup.values import HoldState, Waiting
from pipeline.domain.order_events import OrderUnpaidTooLong, RefundOverdue, ReviewLeaseExpired, ReviewOverdue

if TYPE_CHECKING:
    from pipeline.domain.commands import Tick
    from pipeline.domain.dedup.state import State

DUE_PER_TICK_MAX = 500
CLOCK_STEP_MS = 60_000
"""The clock is remembered to the minute: a change of it is a record in the changelog."""
WARN, LATE = "warn", "late"

Timely = Answer | ClockNoted | OrderUnpaidTooLong | ReviewLeaseExpired | ReviewOverdue | RefundOverdue


def tick(state: State, command: Tick) -> list[Timely]:
    """Answer what is due."""
    answers = list[Timely]()
    noted = [ClockNoted(at=command.at)] if command.at >= state.clock.get(CLOCK, 0) + CLOCK_STEP_MS else []
    touched = set[str]()
    for _, key in state.agenda.due(state.deadlines, command.at, DUE_PER_TICK_MAX):
        kind, order_id, which = key.split("|", 2)
        lets_go = kind == CANCEL and order_id in state.twins
        if lets_go and answers:
            break
        if order_id not in touched:
            touched.add(order_id)
            answers += _answer(state, kind, order_id, which, command.at)
        if lets_go:
            break
    return [*answers, *noted]


def _answer(state: State, kind: str, order_id: str, which: str, at: int) -> list[Timely]:
    if kind == UNPAID:
        return [_unpaid(state, order_id, at)]
    if kind == CANCEL:
        rest = state.orders[order_id].rest
        pool = rest.pool if isinstance(rest, Waiting) else ""
        return [*cancel(state, pool, order_id, at, reasons.UNPAID_TOO_LONG)]
    if kind == LEASE:
        return _free(state, order_id, which, at)
    if kind == OVERDUE:
        return _overdue(state, order_id, which, at)
    return [RefundOverdue(order_id=order_id, at=at, refund_id=which)]


def _unpaid(state: State, order_id: str, at: int) -> OrderUnpaidTooLong:
    seen, policy = state.orders[order_id], state.policy()
    order = seen.rest.order if isinstance(seen.rest, Waiting) else None
    ours = order is not None and order.channel not in policy.channels_that_cancel
    return OrderUnpaidTooLong(
        order_id=order_id,
        at=at,
        from_state=seen.standing,
        to_state=seen.standing,
        rule_version=policy.version,
        cancel_at=state.deadlines[f"{UNPAID}|{order_id}|"] + policy.unpaid_cancel_ms if ours else None,
    )


def _free(state: State, order_id: str, reason: str, at: int) -> list[Timely]:
    hold = find_hold(state.reviews.get(order_id), reason)
    if hold is None:
        return []
    expired = ReviewLeaseExpired(
        order_id=order_id,
        at=at,
        from_state=hold.state,
        to_state=HoldState.RAISED,
        rule_version=hold.rule_version,
        reason=reason,
        reviewer=hold.reviewer,
    )
    return [expired]


def _overdue(state: State, order_id: str, reason: str, at: int) -> list[Timely]:
    """Say that a hold waits too long: first as a warning, then, after `review_late_ms`, once more."""
    hold = find_hold(state.reviews.get(order_id), reason)
    if hold is None:
        return []
    due_at = state.deadlines[f"{OVERDUE}|{order_id}|{reason}"]
    late_at = hold.raised_at + state.policy().review_late_ms
    is_late = due_at >= late_at
    overdue = ReviewOverdue(
        order_id=order_id,
        at=at,
        from_state=hold.state,
        rule_version=hold.rule_version,
        reason=reason,
        level=LATE if is_late else WARN,
        next_at=None if is_late else late_at,
    )
    return [overdue]
