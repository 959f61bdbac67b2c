"""The limits that orders and parcels go by, as data: in force from the record on that sets them, for a replay too.

A limit that runs already keeps its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from zlib import crc32

import msgspec
from msgspec import Meta

from pipeline.domain.commands import Command
from pipeline.domain.orders import Minor, Name

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
PERCENT = 100

DurationMs = Annotated[int, Meta(gt=0, le=90 * 24 * HOUR_MS)]
Version = Annotated[str, Meta(min_length=1, max_length=64)]


class RefundTiers(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Up to which amount a refund needs nobody, for everyone and for a VIP; above it two people agree."""

    self_service_minor: Minor = 30_000
    vip_minor: Minor = 100_000
    vip_level: Annotated[int, Meta(ge=1, le=100)] = 1


class OrderPolicy(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The limits. Amounts in minor units, times in milliseconds.

    An unpaid order is yellow after `unpaid_warn_ms`; `unpaid_cancel_ms` after that it is cancelled, time enough for a
    payment that is late, unless its channel does that itself. A hold for review is overdue after `review_warn_ms`
    (or the rule's own deadline), and again after `review_late_ms`. Of `refund_b_percent` of the orders, by their ids,
    the tiers B decide.

    A paid order is overdue that no warehouse knows of after `routing_alarm_ms`, that did not leave `locked_alarm_ms`
    after it was routed, and that did not leave `outbound_alarm_ms` after its payment; a parcel, of which nothing was
    heard for `silent_alarm_ms`. Raises ValueError where the last of an order's alarms would not come last.
    """

    version: Version = "default"
    unpaid_warn_ms: DurationMs = 30 * MINUTE_MS
    unpaid_cancel_ms: DurationMs = 5 * MINUTE_MS
    channels_that_cancel: tuple[Name, ...] = ("pdd", "jd")
    hold_unpaid_ms: DurationMs = 35 * MINUTE_MS
    review_warn_ms: DurationMs = 12 * MINUTE_MS
    review_late_ms: DurationMs = 24 * HOUR_MS
    review_lease_ms: DurationMs = 15 * MINUTE_MS
    refund_ms: DurationMs = 2 * HOUR_MS
    refund_a: RefundTiers = RefundTiers()
    refund_b: RefundTiers = RefundTiers()
    refund_b_percent: Annotated[int, Meta(ge=0, le=PERCENT)] = 0
    routing_alarm_ms: DurationMs = 15 * MINUTE_MS
    locked_alarm_ms: DurationMs = 2 * HOUR_MS
    outbound_alarm_ms: DurationMs = 4 * HOUR_MS
    silent_alarm_ms: DurationMs = 7 * 24 * HOUR_MS

    def __post_init__(self) -> None:
        """Refuse an order's alarms that contradict each other."""
        for name, limit_ms in (("routing_alarm_ms", self.routing_alarm_ms), ("locked_alarm_ms", self.locked_alarm_ms)):
            if limit_ms > self.outbound_alarm_ms:
                message = f"outbound_alarm_ms: {self.outbound_alarm_ms} is less than {name}, which is {limit_ms}"
                raise ValueError(message)


DEFAULT = OrderPolicy()
ORDERS = "orders"
"""The key of the policy in a table of policies."""


class SetOrderPolicy(Command, frozen=True, kw_only=True):
    """From here on other limits hold; to every partition of the inputs of dedup, reservation and tracking."""

    policy: OrderPolicy
    author: Annotated[str, Meta(min_length=1, max_length=128)]


def in_force(policies: Mapping[str, OrderPolicy]) -> OrderPolicy:
    """Give the limits of a table of policies, or the first ones."""
    return policies.get(ORDERS, DEFAULT)


def refund_variant(policy: OrderPolicy, order_id: str) -> str:
    """Say which half of the comparison an order is in; the same order always is in the same."""
    return "B" if crc32(order_id.encode()) % PERCENT < policy.refund_b_percent else "A"
