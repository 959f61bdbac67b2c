"""The units of a SKU that an order waits for, by `order id|SKU`: some 30 bytes. Queues by rank are derived from it."""

from __future__ import annotations

from pipeline.domain.reservation.values import Wait
from pipeline.topics import Table

WAITS = Table(name="waits", value=Wait, keeps="until they have come, or are given up", entries_max=5_000_000)
