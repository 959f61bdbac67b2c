"""A part that waits or is picked in its warehouse, by fulfilment id: about 60 bytes, and what was scanned of it."""

from __future__ import annotations

from pipeline.domain.routing.values import FloorPart
from pipeline.topics import Table

FLOOR = Table(
    name="floor",
    value=FloorPart,
    keeps="until the part is settled; of pools with a plan only",
    entries_max=2_000_000,
)
