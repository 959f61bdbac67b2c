"""Every order ever seen, by order id (32 hex digits).

The value says where the order stands for dedup, 10 to 20 bytes. While an order waits for its payment it also holds what
to ask for then, its units and address, some 300 bytes; before it came, what was said of it.
"""

from __future__ import annotations

from pipeline.domain.dedup_state import Seen
from pipeline.topics import Table

ORDERS = Table(
    name="orders", value=Seen, keeps="for ever: a resubmission after a year is still one", entries_max=5_000_000
)
