"""The recent orders of a receiver, by `pool|receiver key`, for the search for suspected duplicates.

Mostly one order, about 40 bytes and its SKUs; RECENT_ORDERS_PER_RECEIVER_MAX at most.
"""

from __future__ import annotations

from pipeline.domain.dedup_state import Receiver
from pipeline.topics import Table

RECEIVERS = Table(
    name="receivers",
    value=Receiver,
    keeps="until the receiver's next order; of those, six hours back",
    entries_max=5_000_000,
)
