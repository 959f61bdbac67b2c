"""Dedup: each order once. Knows every order ever seen, holds doubtful ones for review, sends paid ones on.

An order's id settles whether it is known, so a resubmission after a year is still one. Of an order older than what is
remembered nobody can say that it is new: it is held for review. What was said of an order before it came (its payment,
its cancellation, a change) is parked and applied when it comes. Of two states that the platform showed, the one with
the later time counts, and at the same time the one with the higher rank.

The rest of the rules is beside this file: `doubts` (why an order is held for review), `flow` (how it goes
on), `changes`, `reviews`, `refunds`, and `clock` (what time brings).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from pipeline.domain import reasons
from pipeline.domain.commands import CancelOrder, PayOrder, RequestReview, SubmitOrder, Tick
from pipeline.domain.dedup import refunds as dedup_refunds
from pipeline.domain.dedup import reviews as dedup_reviews
from pipeline.domain.dedup.changes import (
    CANCELLABLE,
    Changing,
    change_order,
    pay_late,
    repeated,
    show_again,
)
from pipeline.domain.dedup.clock import Timely, tick
from pipeline.domain.dedup.creation import Creating, Parking, create, park
from pipeline.domain.dedup.doubts import Look
from pipeline.domain.dedup.flow import Step, cancel, cancel_and_refund, go_on, refund_due, release_twins
from pipeline.domain.dedup.reviews import Reviewing
from pipeline.domain.dedup.state import Event, Note, State, evolve
from pipeline.domain.dedup.values import Parked, RefundState, Review, Seen, Standing, Waiting
from pipeline.domain.errors import InvariantError
from pipeline.domain.events import OrderPaid, OrderRepeated
from pipeline.domain.order_commands import (
    ChangeAddress,
    ClaimReview,
    ConfirmCancel,
    ConfirmRefund,
    DecideRefund,
    DecideReview,
    ExpediteOrder,
    RequestRefund,
    ReviewAgain,
    TrimOrder,
)
from pipeline.domain.order_events import CancelConfirmed, RefundDecided, RefundIgnored, RefundRequested, policy_set
from pipeline.domain.order_policy import SetOrderPolicy
from pipeline.domain.orders import OrderStatus
from pipeline.domain.rules import active as rules_active
from pipeline.domain.rules.active import SetRules

if TYPE_CHECKING:
    from pipeline.domain.dedup.values import Ask
    from pipeline.domain.order_commands import OrderCommand

__all__ = ["State", "decide", "evolve"]

UNSAID = Parked()
Answers = Sequence[Changing | Creating | Parking | Reviewing | Timely | Event | Note | RequestReview]


def decide(state: State, command: OrderCommand) -> Answers:
    """Answers a command. A repeated one changes nothing, and the answer says where the order stands."""
    match command:
        case SubmitOrder():
            return _see(state, command)
        case PayOrder() | CancelOrder() | ChangeAddress() | ExpediteOrder() | TrimOrder() | RequestRefund():
            seen = state.orders.get(command.order_id)
            if seen is None or isinstance(seen.rest, Parked):
                return park(command, seen)
            return _hear(state, command, seen)
        case Tick():
            return tick(state, command)
        case SetOrderPolicy() | SetRules():
            return _set(state, command)
        case _:
            return _settle(state, command)


def _see(state: State, command: SubmitOrder) -> Answers:
    """Take an order that a shop shows."""
    seen = state.orders.get(command.order.internal_order_id)
    if seen is None:
        return create(state, command, UNSAID)
    return create(state, command, seen.rest) if isinstance(seen.rest, Parked) else show_again(state, command, seen)


def _hear(state: State, command: PayOrder | CancelOrder | Ask, seen: Seen) -> Answers:
    """Take what a buyer or a platform says of a known order."""
    match command:
        case PayOrder():
            return _pay(state, command, seen)
        case CancelOrder():
            if seen.standing not in CANCELLABLE:
                return repeated(seen, command.order_id, command.at, "cancel")
            return cancel_and_refund(state, command.pool, command.order_id, command.at, command.reason)
        case RequestRefund():
            return _undo_with(state, command, dedup_refunds.ask_refund(state, command, seen))
        case _:
            return change_order(state, command, seen)


def _settle(
    state: State, command: ClaimReview | DecideReview | ReviewAgain | DecideRefund | ConfirmRefund | ConfirmCancel
) -> Answers:
    """Take what reviewers, approvers and reservation say."""
    match command:
        case ClaimReview():
            return dedup_reviews.claim(state, command)
        case DecideReview():
            return dedup_reviews.decide(state, command)
        case ReviewAgain():
            return dedup_reviews.again(state, command)
        case DecideRefund():
            return _undo_with(state, command, dedup_refunds.decide(state, command))
        case ConfirmRefund():
            return (dedup_refunds.confirm(state, command),)
        case ConfirmCancel():
            return _cancelled(state, command, state.orders.get(command.order_id))
        case _:
            assert_never(command)


def _pay(state: State, command: PayOrder, seen: Seen) -> Answers:
    """Take the payment of a known order."""
    order_id, at, standing, rest = command.order_id, command.at, seen.standing, seen.rest
    if seen.paid or standing is Standing.REFUND_DUE:
        return repeated(seen, order_id, at, "pay")
    if standing in {Standing.CANCELLED, Standing.CANCEL_REQUESTED}:
        return pay_late(state, order_id, at, seen, command.paid_minor)
    if not isinstance(rest, Waiting):
        if standing is Standing.IN_REVIEW:
            return [
                OrderPaid(
                    order_id=order_id, at=at, from_state=standing, to_state=standing, paid_minor=command.paid_minor
                )
            ]
        message = f"order {order_id} is {standing} and unpaid, and nothing says what to hold for it"
        raise InvariantError(message)
    if not rest.pool:
        rest = replace(rest, pool=command.pool)
    if rest.order is not None:
        paid = replace(rest.order, status=OrderStatus.PAID, paid_minor=command.paid_minor, paid_at=at)
        rest = replace(rest, order=paid)
    review = state.reviews.get(order_id, Review())
    return go_on(state, Step(order_id, seen, rest, review, Look(at), command.paid_minor))


def _cancelled(state: State, command: ConfirmCancel, seen: Seen | None) -> Answers:
    """Take note that what a cancelled order held is free again: now its money is to go back."""
    order_id, at = command.order_id, command.at
    if seen is None or seen.standing not in {Standing.CANCEL_REQUESTED, Standing.PAID}:
        standing = "" if seen is None else seen.standing
        return (OrderRepeated(order_id=order_id, at=at, from_state=standing, to_state=standing, kind="confirm_cancel"),)
    confirmed = CancelConfirmed(order_id=order_id, at=at, from_state=seen.standing)
    return [confirmed, *refund_due(state, order_id, at), *release_twins(state, order_id, at)]


def _undo_with(
    state: State, command: RequestRefund | DecideRefund, answer: RefundRequested | RefundDecided | RefundIgnored
) -> Answers:
    """Cancel an order of which all is given back, as long as it may be cancelled."""
    if isinstance(answer, RefundIgnored) or answer.to_state != RefundState.APPROVED:
        return (answer,)
    seen = state.orders[command.order_id]
    refunded = seen.refunded_minor + (answer.amount_minor if isinstance(answer, RefundRequested) else 0)
    if refunded < seen.paid_minor or seen.standing not in CANCELLABLE:
        return (answer,)
    return [answer, *cancel(state, command.pool, command.order_id, command.at, reasons.REFUNDED)]


def _set(state: State, command: SetOrderPolicy | SetRules) -> Answers:
    """Let other limits or other rules hold from here on."""
    if isinstance(command, SetRules):
        return rules_active.decide(state.rulebook.get(rules_active.ACTIVE), command)
    return (policy_set(command),)
