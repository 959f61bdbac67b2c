"""The flash sales that are not over, by `pool|SKU`: its id and two times, some 30 bytes."""

from __future__ import annotations

from pipeline.domain.reservation.values import Flash
from pipeline.topics import Table

FLASHES = Table(name="flashes", value=Flash, keeps="until it closes", entries_max=10_000)
