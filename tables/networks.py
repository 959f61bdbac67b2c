"""A pool's warehouses, by pool: WAREHOUSES_PER_POOL_MAX names at most."""

from __future__ import annotations

from pipeline.domain.reservation.values import Network
from pipeline.topics import Table

NETWORKS = Table(name="networks", value=Network, keeps="for ever", entries_max=10_000)
