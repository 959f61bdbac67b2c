"""What became of the request to hold an order's units, by order id.

While it is open, the outstanding units by SKU, about 15 bytes a line; then the numbers of its settled parts, `-1` and
so on, 3 bytes each.
"""

from __future__ import annotations

from pipeline.domain.reservation.values import Hold
from pipeline.topics import REMEMBERED_MS, Table

HOLDS = Table(
    name="holds",
    value=Hold,
    keeps="400 days: a repeat gets its first answer",
    entries_max=50_000_000,
    settled=Hold.is_settled,
    keep_ms=REMEMBERED_MS,
)
