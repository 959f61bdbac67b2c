"""When something of an order is due, by `kind|order id|which`; the value is the time in milliseconds UTC, 9 bytes."""

from __future__ import annotations

from pipeline.topics import Table

DEADLINES = Table(name="deadlines", value=int, keeps="until it is met, or passed", entries_max=10_000_000)
