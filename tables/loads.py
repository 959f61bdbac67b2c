"""How many parts a warehouse was given on its newest day, by `pool|warehouse`: 10 bytes."""

from __future__ import annotations

from pipeline.domain.routing.values import Load
from pipeline.topics import Table

LOADS = Table(name="loads", value=Load, keeps="for ever", entries_max=100_000)
