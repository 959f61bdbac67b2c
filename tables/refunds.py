"""The refunds, by `order id|refund id` (none: what was paid for an order that is cancelled): 50 bytes each."""

from __future__ import annotations

from pipeline.domain.dedup.values import RefundCase
from pipeline.topics import REMEMBERED_MS, Table

REFUNDS = Table(
    name="refunds",
    value=RefundCase,
    keeps="400 days: a repeated request must not give money back twice",
    entries_max=5_000_000,
    settled=RefundCase.is_settled,
    keep_ms=REMEMBERED_MS,
)
