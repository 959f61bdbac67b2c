"""A pool's warehouses and where they are, by pool: some 40 bytes each, WAREHOUSES_PER_POOL_MAX at most."""

from __future__ import annotations

from pipeline.domain.routing.values import Warehouses
from pipeline.topics import Table

WAREHOUSES = Table(name="warehouses", value=Warehouses, keeps="for ever", entries_max=10_000)
