"""The orders that are held because they may repeat another one, by the other's id: 35 bytes each."""

from __future__ import annotations

from pipeline.domain.dedup.values import Twins
from pipeline.topics import Table

TWINS = Table(name="twins", value=Twins, keeps="while they are held", entries_max=1_000_000)
"""As many in one value as a receiver has recent orders, RECENT_ORDERS_PER_RECEIVER_MAX."""
