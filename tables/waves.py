"""The start of the newest wave of a warehouse, ms UTC, by `pool|warehouse`."""

from __future__ import annotations

from pipeline.topics import Table

WAVES = Table(name="waves", value=int, keeps="for ever", entries_max=100_000)
