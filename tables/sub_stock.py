"""The units of a SKU in a sub-pool other than what is in stock, by `pool|sub-pool|SKU`: at most 20 bytes.

Not in the table of what is in stock, where a SKU with a `|` in its name could be taken for another one's sub-pool.
"""

from __future__ import annotations

from pipeline.domain.reservation.values import Balance
from pipeline.topics import Table

SUB_STOCK = Table(name="sub_stock", value=Balance, keeps="for ever", entries_max=2_000_000)
