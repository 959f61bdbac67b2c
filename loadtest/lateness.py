"""How late a load generator was: an open loop that falls behind measures itself and not the pipeline."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

LATE_P99_SECONDS_MAX = 0.25
"""A generator that was later than this with one record in a hundred has measured itself: its run is invalid."""


class SendReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a generator did. Times in seconds; late: from a record's intended time to its send."""

    records: int
    failed: int
    """Records that the broker did not acknowledge."""
    intended_per_second: float
    achieved_per_second: float
    seconds: float
    late_p50_seconds: float
    late_p99_seconds: float
    late_seconds_max: float

    @property
    def valid(self) -> bool:
        """Whether latencies may be read from this run."""
        return self.failed == 0 and self.late_p99_seconds <= LATE_P99_SECONDS_MAX


def percentile(values: Sequence[float], share: float) -> float:
    """Give the smallest value that at least `share` (0 to 1) of all values do not exceed; 0 of no values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def report(late_seconds: Sequence[float], intended_seconds: float, seconds: float, failed: int) -> SendReport:
    """Sum up a replay that was to take `intended_seconds` and took `seconds`."""
    records = len(late_seconds)
    return SendReport(
        records=records,
        failed=failed,
        intended_per_second=records / intended_seconds if intended_seconds else 0.0,
        achieved_per_second=records / seconds if seconds else 0.0,
        seconds=seconds,
        late_p50_seconds=percentile(late_seconds, 0.5),
        late_p99_seconds=percentile(late_seconds, 0.99),
        late_seconds_max=max(late_seconds, default=0.0),
    )
