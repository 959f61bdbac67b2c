"""The units of a SKU in a warehouse, by `pool|warehouse|SKU`: on hand and allocated, at most 20 bytes."""

from __future__ import annotations

from pipeline.domain.routing.values import Shelf
from pipeline.topics import Table

SHELVES = Table(name="shelves", value=Shelf, keeps="for ever", entries_max=5_000_000)
