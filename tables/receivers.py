"""The recent orders of a receiver, by `pool|receiver key`, for the search for suspected duplicates.

Mostly one order, about 40 bytes and its SKUs; RECENT_ORDERS_PER_RECEIVER_MAX at most.
"""

from __future__ import annotations

from pipeline.domain.dedup.values import Receiver
from pipeline.topics import DAY_MS, Table

RECEIVERS = Table(
    name="receivers",
    value=Receiver,
    keeps="until the receiver's next order, a day at most; of the orders, six hours back",
    entries_max=5_000_000,
    settled=Receiver.is_settled,
    keep_ms=DAY_MS,
)
