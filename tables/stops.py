"""The fulfilment orders that are being stopped for routing, by fulfilment id; the value is since when, 9 bytes."""

from __future__ import annotations

from pipeline.topics import Table

STOPS = Table(name="stops", value=int, keeps="until it is certain what came of it", entries_max=200_000)
