"""The warehouses that are closed, by `pool|warehouse`; the value is since when, ms UTC."""

from __future__ import annotations

from pipeline.topics import Table

CLOSURES = Table(name="closures", value=int, keeps="until it opens again", entries_max=100_000)
