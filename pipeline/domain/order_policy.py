"""The limits that dedup goes by, as data: in force from the record on that sets them, for a replay too."""

from __future__ import annotations

from typing import Annotated
from zlib import crc32

import msgspec
from msgspec import Meta

from pipeline.domain.commands import Command
from pipeline.domain.orders import Minor, Name

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


DEFAULT = OrderPolicy()


class SetOrderPolicy(Command, frozen=True, kw_only=True):
    """From here on other limits hold; to every partition of dedup's input."""

    policy: OrderPolicy
    author: Annotated[str, Meta(min_length=1, max_length=128)]


def refund_variant(policy: OrderPolicy, order_id: str) -> str:
    """Say which half of the comparison an order is in; the same order always is in the same."""
    return "B" if crc32(order_id.encode()) % PERCENT < policy.refund_b_percent else "A"
