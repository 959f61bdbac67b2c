"""The events of an order's review, its time limits, its changes and its refunds; all from dedup.

Where `from` and `to` are those of a hold (raised, in_review, escalated, released, rejected) or of a refund, and not of
the order, the event's docstring says so.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.events import Event
from pipeline.domain.order_policy import OrderPolicy, SetOrderPolicy

# --- review ---


class ReviewClaimed(Event, frozen=True, kw_only=True):
    """A reviewer has one of an order's holds until `until`. States of the hold."""

    to_state: str = "in_review"
    reason: str
    reviewer: str
    until: int


class ReviewLeaseExpired(Event, frozen=True, kw_only=True):
    """A reviewer did not decide in time: the hold is anybody's again. States of the hold."""

    from_state: str = "in_review"
    reason: str
    reviewer: str


class ReviewOverdue(Event, frozen=True, kw_only=True):
    """A hold waits too long: `level` is warn (the first deadline) or late (the last). States of the hold."""

    to_state: str = "escalated"
    reason: str
    level: str
    next_at: int | None = None
    """When it is overdue next."""


class ReviewReleased(Event, frozen=True, kw_only=True):
    """A hold is lifted: by a reviewer, or (without one) because its cause is gone. States of the hold."""

    to_state: str = "released"
    reason: str
    rules: tuple[str, ...]
    reviewer: str = ""
    note: str = ""


class ReviewRejected(Event, frozen=True, kw_only=True):
    """A reviewer rejected an order for this reason. States of the hold."""

    to_state: str = "rejected"
    reason: str
    rules: tuple[str, ...]
    reviewer: str
    note: str = ""


class ReviewIgnored(Event, frozen=True, kw_only=True):
    """A claim or a decision changed nothing: `answer` says why."""

    reason: str
    reviewer: str
    answer: str


class OrderReviewedAgain(Event, frozen=True, kw_only=True):
    """An order was looked at again, since the rules have changed; what came of it follows. States of the order."""

    reviewer: str


class OrderReleased(Event, frozen=True, kw_only=True):
    """Nothing holds an order for review any more: it goes on."""

    from_state: str = "in_review"


class OrderRuleMatched(Event, frozen=True, kw_only=True):
    """A rule matched that holds nothing: it asks to notify somebody, or for a service such as insurance."""

    rule_id: str
    action: str
    reason: str
    evidence: str
    asks: tuple[str, ...] = ()
    """Whom to notify, or which services."""


# --- time limits ---


class OrderUnpaidTooLong(Event, frozen=True, kw_only=True):
    """An order waits for its payment too long (yellow); `cancel_at`: when it is cancelled, None: by its platform."""

    cancel_at: int | None = None


class RefundOverdue(Event, frozen=True, kw_only=True):
    """Money that is to go back has not, in time. Without `refund_id`: that of an order that was cancelled."""

    refund_id: str = ""


# --- changes ---


class Change(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One field: what it was, what it is. Of a personal field, and of one that is known no more, both are empty."""

    field: str
    before: str
    after: str


class OrderChanged(Event, frozen=True, kw_only=True):
    """Fields of an order changed: who wanted it, by which message, and what they were before."""

    author: str
    kind: str
    """The message: submit, address or trim."""
    source: str = ""
    """The raw record that showed it: topic-partition-offset."""
    changes: tuple[Change, ...]


class OrderExpedited(Event, frozen=True, kw_only=True):
    """An order goes before others of a lower priority."""

    priority: int


class OrderTrimmed(Event, frozen=True, kw_only=True):
    """A part of an order is not wanted any more; where it holds stock already, reservation says what is released."""

    trim_id: str
    units: int
    reason: str


class OrderChangeRefused(Event, frozen=True, kw_only=True):
    """What was asked of an order is not possible where it stands."""

    kind: str
    reason: str


class CancelConfirmed(Event, frozen=True, kw_only=True):
    """What a cancelled order had held is free again."""

    from_state: str = "cancel_requested"
    to_state: str = "cancelled"


# --- refunds ---


class RefundRequested(Event, frozen=True, kw_only=True):
    """Somebody wants money back. States of the refund.

    `rule_version` is the policy's, `variant` (A or B) the half of the comparison that decided.
    """

    from_state: str = "requested"
    refund_id: str
    amount_minor: int
    tier: str
    variant: str
    due_at: int


class RefundDecided(Event, frozen=True, kw_only=True):
    """A named approver agreed to a refund, or rejected it. States of the refund."""

    from_state: str = "review"
    refund_id: str
    approver: str
    amount_minor: int
    tier: str
    variant: str
    note: str = ""


class RefundPaid(Event, frozen=True, kw_only=True):
    """The money is back with the buyer. States of the refund."""

    from_state: str = "approved"
    to_state: str = "refunded"
    refund_id: str
    amount_minor: int
    author: str = ""
    note: str = ""


class RefundIgnored(Event, frozen=True, kw_only=True):
    """A refund was asked for, decided or confirmed in vain: `answer` says why."""

    refund_id: str
    answer: str


# --- policy ---


class OrderPolicySet(Event, frozen=True, kw_only=True):
    """Other limits hold from here on; `rule_version` is the policy's."""

    author: str
    policy: OrderPolicy


def policy_set(command: SetOrderPolicy) -> OrderPolicySet:
    """Let other limits hold from here on."""
    policy = command.policy
    return OrderPolicySet(at=command.at, rule_version=policy.version, author=command.author, policy=policy)
