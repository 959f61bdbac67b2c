"""Where an order's units are held that are not held in what is in stock, by order id: a short word."""

from __future__ import annotations

from pipeline.domain.orders import SubPool
from pipeline.topics import Table

HOLDS_APART = Table(name="holds_apart", value=SubPool, keeps="until nothing of it is held", entries_max=1_000_000)
