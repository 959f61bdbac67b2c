"""The stock feeds that counted, or were refused, by `pool|feed id`; the value is the feed's time, 9 bytes."""

from __future__ import annotations

from pipeline.topics import Table

FEEDS = Table(name="feeds", value=int, keeps="for ever: a feed counts once", entries_max=1_000_000)
