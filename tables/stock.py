"""The units of a SKU in a pool, by `pool|SKU`: on hand and held, at most 20 bytes.

A SKU that the pool never had is not in here, which is how it is told from one that is sold out.
"""

from __future__ import annotations

from pipeline.domain.reservation.values import Balance
from pipeline.topics import Table

STOCK = Table(name="stock", value=Balance, keeps="for ever", entries_max=2_000_000)
