"""What dedup remembers of the orders that are held for review, and how facts change that."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from pipeline.domain.dedup.values import HoldState, Review, ReviewHold, Standing, Twins
from pipeline.domain.events import OrderHeldForReview
from pipeline.domain.order_events import (
    OrderReviewedAgain,
    ReviewClaimed,
    ReviewIgnored,
    ReviewLeaseExpired,
    ReviewOverdue,
    ReviewRejected,
    ReviewReleased,
)

if TYPE_CHECKING:
    from pipeline.domain.dedup.state import State

OVERDUE, LEASE = "review", "lease"
"""The kinds of deadlines of a hold."""

ReviewEvent = (
    OrderHeldForReview
    | ReviewClaimed
    | ReviewLeaseExpired
    | ReviewOverdue
    | ReviewReleased
    | ReviewRejected
    | ReviewIgnored
    | OrderReviewedAgain
)


def find_hold(review: Review | None, reason: str) -> ReviewHold | None:
    """Give an order's hold with a reason."""
    return next((hold for hold in review.holds if hold.reason == reason), None) if review is not None else None


def evolve(state: State, fact: ReviewEvent) -> None:
    """Apply a fact."""
    match fact:
        case OrderHeldForReview():
            _raise(state, fact)
        case ReviewClaimed():
            _change(state, fact, HoldState.IN_REVIEW, fact.until)
            state.remind(f"{LEASE}|{fact.order_id}|{fact.reason}", fact.until)
        case ReviewLeaseExpired():
            _change(state, fact, HoldState(fact.to_state), 0)
            state.deadlines.pop(f"{LEASE}|{fact.order_id}|{fact.reason}", None)
        case ReviewOverdue():
            hold = find_hold(state.reviews[fact.order_id], fact.reason)
            _put(state, fact.order_id, hold and replace(hold, state=HoldState.ESCALATED))
            key = f"{OVERDUE}|{fact.order_id}|{fact.reason}"
            state.deadlines.pop(key, None)
            if fact.next_at is not None:
                state.remind(key, fact.next_at)
        case ReviewReleased() | ReviewRejected():
            _lift(state, fact)
        case ReviewIgnored() | OrderReviewedAgain():
            pass
        case _:
            assert_never(fact)


def _raise(state: State, fact: OrderHeldForReview) -> None:
    order_id = fact.order_id
    state.orders[order_id] = replace(state.orders[order_id], standing=Standing.IN_REVIEW)
    since = state.since(fact.at)
    hold = ReviewHold(fact.reason, HoldState.RAISED, since, fact.rules, fact.rule_version or "", fact.twin)
    _put(state, order_id, hold)
    if fact.overdue_at is not None:
        state.remind(f"{OVERDUE}|{order_id}|{fact.reason}", fact.overdue_at)
    if fact.twin:
        suspects = state.twins.get(fact.twin, Twins(())).suspects
        state.twins[fact.twin] = Twins((*(one for one in suspects if one != order_id), order_id))


def _change(state: State, fact: ReviewClaimed | ReviewLeaseExpired, to: HoldState, until: int) -> None:
    """Give a hold to a reviewer until a time, or to nobody."""
    hold = find_hold(state.reviews[fact.order_id], fact.reason)
    reviewer = fact.reviewer if until else ""
    _put(state, fact.order_id, hold and replace(hold, state=to, reviewer=reviewer, leased_until=until))


def _put(state: State, order_id: str, hold: ReviewHold | None) -> None:
    """Put a hold into its order's review, in the place of the one with its reason."""
    if hold is None:
        return
    review = state.reviews.get(order_id, Review())
    holds = [hold if old.reason == hold.reason else old for old in review.holds]
    if hold not in holds:
        holds.append(hold)
    state.reviews[order_id] = replace(review, holds=tuple(holds))


def _lift(state: State, fact: ReviewReleased | ReviewRejected) -> None:
    order_id, review = fact.order_id, state.reviews[fact.order_id]
    for hold in review.holds:
        if hold.reason == fact.reason:
            _drop(state, order_id, hold)
    approved = list(review.approved)
    if isinstance(fact, ReviewReleased) and fact.reviewer:
        approved += [rule for rule in fact.rules if rule not in approved]
    holds = tuple(hold for hold in review.holds if hold.reason != fact.reason)
    if holds or approved:
        state.reviews[order_id] = Review(holds, tuple(approved))
    else:
        state.reviews.pop(order_id, None)


def _drop(state: State, order_id: str, hold: ReviewHold) -> None:
    """Drop what refers to a hold."""
    state.deadlines.pop(f"{OVERDUE}|{order_id}|{hold.reason}", None)
    state.deadlines.pop(f"{LEASE}|{order_id}|{hold.reason}", None)
    twins = state.twins.get(hold.twin) if hold.twin else None
    if twins is not None:
        left = tuple(one for one in twins.suspects if one != order_id)
        if left:
            state.twins[hold.twin] = Twins(left)
        else:
            state.twins.pop(hold.twin, None)


def forget(state: State, order_id: str) -> None:
    """Forget an order's review: it went on, or it ended."""
    review = state.reviews.pop(order_id, None)
    for hold in review.holds if review is not None else ():
        _drop(state, order_id, hold)


def forget_approvals(state: State, order_id: str) -> None:
    """Forget what reviewers let pass: the order is not the same any more."""
    review = state.reviews.get(order_id)
    if review is None or not review.approved:
        return
    if review.holds:
        state.reviews[order_id] = Review(review.holds)
    else:
        state.reviews.pop(order_id, None)
