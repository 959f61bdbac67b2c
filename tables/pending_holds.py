"""What an order will be routed with that is not routed yet, by order id: its lines and an address, some 300 bytes.

Personal: with the address it stays in the changelog until the order is routed or given up.
"""

from __future__ import annotations

from pipeline.domain.reservation.values import Pending
from pipeline.topics import Table

PENDING_HOLDS = Table(
    name="pending_holds", value=Pending, keeps="until the order is routed, or given up", entries_max=5_000_000
)
