"""The attempt to get a waybill, by fulfilment id.

While a call is under way, what ships and where, some 500 bytes; then the waybill's number, about 40 bytes.
"""

from __future__ import annotations

from pipeline.domain.waybill_state import Attempt
from pipeline.topics import Table

ATTEMPTS = Table(
    name="attempts",
    value=Attempt,
    keeps="for ever: a repeated request must not get a second waybill",
    entries_max=6_000_000,
)
