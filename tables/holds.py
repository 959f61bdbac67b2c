"""What became of the request to hold an order's units, by order id.

While it is open, the outstanding units by SKU, about 15 bytes a line; then the ids of its settled parts, 40 bytes
each.
"""

from __future__ import annotations

from pipeline.domain.reservation_state import Hold
from pipeline.topics import Table

HOLDS = Table(name="holds", value=Hold, keeps="for ever: a repeat gets its first answer", entries_max=5_000_000)
