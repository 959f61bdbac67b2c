"""The attempt to get a waybill, by fulfilment id.

While a call is under way, what ships and where, some 500 bytes; then the waybill's number, about 40 bytes.
"""

from __future__ import annotations

from pipeline.domain.waybill.state import Attempt
from pipeline.topics import REMEMBERED_MS, Table

ATTEMPTS = Table(
    name="attempts",
    value=Attempt,
    keeps="400 days: a repeated request must not get a second waybill",
    entries_max=60_000_000,
    settled=Attempt.is_settled,
    keep_ms=REMEMBERED_MS,
)
