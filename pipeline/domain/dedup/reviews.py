"""What reviewers do: they claim the orders that are held for review, for a while, and decide on them.

A hold is decided on by who has claimed it, as long as the claim holds. When the last hold of an order is lifted, all
rules look at it again as it is by now, but for those that were let pass; only then it goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain import reasons
from pipeline.domain.dedup.doubts import Look
from pipeline.domain.dedup.flow import Answer, Step, cancel_and_refund, go_on, released
from pipeline.domain.dedup.values import Review, Waiting
from pipeline.domain.order_events import OrderReviewedAgain, ReviewClaimed, ReviewIgnored, ReviewRejected

if TYPE_CHECKING:
    from pipeline.domain.dedup.state import State
    from pipeline.domain.dedup.values import ReviewHold
    from pipeline.domain.order_commands import ClaimReview, DecideReview, ReviewAgain

Reviewing = Answer | ReviewClaimed | ReviewRejected | ReviewIgnored | OrderReviewedAgain


def claim(state: State, command: ClaimReview) -> list[Reviewing]:
    """Give a reviewer the holds that nobody else has."""
    holds = _asked(state, command)
    free = [hold for hold in holds if not _is_anothers(hold, command)]
    if not free:
        return [_ignored(command, reasons.CLAIMED_BY_OTHER if holds else reasons.NO_SUCH_HOLD)]
    return [
        ReviewClaimed(
            order_id=command.order_id,
            at=command.at,
            from_state=hold.state,
            rule_version=hold.rule_version,
            reason=hold.reason,
            reviewer=command.reviewer,
            until=command.at + state.policy().review_lease_ms,
        )
        for hold in free
    ]


def decide(state: State, command: DecideReview) -> list[Reviewing]:
    """Let an order go on, or reject it, as far as the reviewer has claimed it."""
    holds = _asked(state, command)
    if not holds:
        return [_ignored(command, reasons.NO_SUCH_HOLD)]
    own = [hold for hold in holds if hold.reviewer == command.reviewer and hold.leased_until > command.at]
    if not own:
        others = any(_is_anothers(hold, command) for hold in holds)
        return [_ignored(command, reasons.CLAIMED_BY_OTHER if others else reasons.NOT_CLAIMED)]
    return _approve(state, command, own) if command.approve else _reject(state, command, own)


def _approve(state: State, command: DecideReview, own: list[ReviewHold]) -> list[Reviewing]:
    order_id, at = command.order_id, command.at
    seen, review = state.orders[order_id], state.reviews[order_id]
    if not isinstance(seen.rest, Waiting):
        return [_ignored(command, reasons.NO_SUCH_HOLD)]
    if not seen.rest.units:
        return [_ignored(command, reasons.NEEDS_UNITS)]
    answers: list[Reviewing] = [released(hold, order_id, at, command) for hold in own]
    left = tuple(hold for hold in review.holds if hold not in own)
    approved = [*review.approved, *(rule for hold in own for rule in hold.rules)]
    if left:
        return answers
    return [*answers, *go_on(state, Step(order_id, seen, seen.rest, Review((), tuple(approved)), Look(at)))]


def _reject(state: State, command: DecideReview, own: list[ReviewHold]) -> list[Reviewing]:
    order_id, at = command.order_id, command.at
    rest = state.orders[order_id].rest
    pool = rest.pool if isinstance(rest, Waiting) else command.pool
    rejected = [
        ReviewRejected(
            order_id=order_id,
            at=at,
            from_state=hold.state,
            rule_version=hold.rule_version,
            reason=hold.reason,
            rules=hold.rules,
            reviewer=command.reviewer,
            note=command.note,
        )
        for hold in own
    ]
    return [*rejected, *cancel_and_refund(state, pool, order_id, at, reasons.REVIEW_REJECTED)]


def again(state: State, command: ReviewAgain) -> list[Reviewing]:
    """Look at an order again that is held, under the rules in force: what they hold no more is let go."""
    order_id, at = command.order_id, command.at
    seen, review = state.orders.get(order_id), state.reviews.get(order_id, Review())
    if seen is None or not review.holds or not isinstance(seen.rest, Waiting):
        answer = reasons.NO_SUCH_HOLD
        return [ReviewIgnored(order_id=order_id, at=at, reason="", reviewer=command.reviewer, answer=answer)]
    told = OrderReviewedAgain(
        order_id=order_id, at=at, from_state=seen.standing, to_state=seen.standing, reviewer=command.reviewer
    )
    return [told, *go_on(state, Step(order_id, seen, seen.rest, review, Look(at, for_rules=True)))]


def _asked(state: State, command: ClaimReview | DecideReview) -> list[ReviewHold]:
    review = state.reviews.get(command.order_id, Review())
    return [hold for hold in review.holds if command.reason in {"", hold.reason}]


def _is_anothers(hold: ReviewHold, command: ClaimReview | DecideReview) -> bool:
    return hold.reviewer not in {"", command.reviewer} and hold.leased_until > command.at


def _ignored(command: ClaimReview | DecideReview, answer: str) -> ReviewIgnored:
    return ReviewIgnored(
        order_id=command.order_id, at=command.at, reason=command.reason, reviewer=command.reviewer, answer=answer
    )
