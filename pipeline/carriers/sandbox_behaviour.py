"""How the sandbox misbehaves: set by shares, drawn from a seed and the order, so that a run can be repeated."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
DRAW_BYTES = 8


class Fault(StrEnum):
    """What happens to one call."""

    NONE = "none"
    SLOW = "slow"
    """The answer comes `slow_seconds` late."""
    BROKEN = "broken"
    """HTTP 503, and nothing was done."""
    DISCARDED = "discarded"
    """The carrier acts, and then answers A1099 (系统异常)."""
    LOST = "lost"
    """The carrier acts, and no answer comes before the caller gives up."""


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sandbox's settings; all of them can be changed while it runs.

    The shares of slow, failing and lost calls are of all calls, and exclude each other; that of refused orders
    (`filterResult` 3) is of orders.
    """

    seed: int = 0
    slow_share: Share = 0.0
    slow_seconds: Seconds = 1.0
    error_share: Share = 0.0
    lost_share: Share = 0.0
    refuse_share: Share = 0.0
    report_interval_seconds: Seconds = 0.3
    pickup_seconds: Seconds = 0.0
    """A parcel's first report comes so much later than the interval."""

    def __post_init__(self) -> None:
        """Check what no single field can say. Raises ValueError."""
        if self.slow_share + self.error_share + self.lost_share > 1:
            message = "slow_share + error_share + lost_share: must not be above 1"
            raise ValueError(message)

    def fault(self, order_id: str, call: int) -> Fault:
        """Draw what happens to an order's so-manieth call."""
        limit = self.lost_share + self.error_share + self.slow_share
        if limit == 0:
            return Fault.NONE
        point = draw(self.seed, "call", f"{order_id}|{call}")
        if point < self.lost_share:
            return Fault.LOST
        if point < self.lost_share + self.error_share / 2:
            return Fault.BROKEN
        if point < self.lost_share + self.error_share:
            return Fault.DISCARDED
        return Fault.SLOW if point < limit else Fault.NONE

    def refuses(self, order_id: str) -> bool:
        """Draw whether an order is out of the carrier's range."""
        return self.refuse_share > 0 and draw(self.seed, "refuse", order_id) < self.refuse_share


def draw(seed: int, what: str, name: str) -> float:
    """Give a number from 0 to below 1 that depends on nothing else."""
    drawn = hashlib.blake2b(f"{seed}|{what}|{name}".encode(), digest_size=DRAW_BYTES).digest()
    return (int.from_bytes(drawn) >> 11) / (1 << 53)
