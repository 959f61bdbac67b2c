"""Every order that was seen, by order id (32 hex digits).

The value says where the order stands for dedup, 20 to 35 bytes. While an order waits for its payment or a reviewer it
also holds the order itself, 1 to 2 KB; before it came, what was said of it.
"""

from __future__ import annotations

from pipeline.domain.dedup.values import Seen
from pipeline.topics import REMEMBERED_MS, Table

ORDERS = Table(
    name="orders",
    value=Seen,
    keeps="400 days: a resubmission after a year is still one; what is older and unknown is held for review",
    entries_max=50_000_000,
    settled=Seen.is_settled,
    keep_ms=REMEMBERED_MS,
)
