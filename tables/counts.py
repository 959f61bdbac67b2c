"""Corrections that counts of shelves asked for and that are on their way, by `pool|feed id`; some 40 bytes each."""

from __future__ import annotations

from pipeline.domain.routing.values import Count
from pipeline.topics import Table

COUNTS = Table(name="counts", value=Count, keeps="until reservation has answered", entries_max=100_000)
