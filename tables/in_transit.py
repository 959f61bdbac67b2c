"""The units of a SKU that were announced and have not come, by `pool|SKU`: at most 5 bytes."""

from __future__ import annotations

from pipeline.topics import Table

IN_TRANSIT = Table(name="in_transit", value=int, keeps="for ever", entries_max=1_000_000)
