"""The stock feeds that counted, or were refused, by `pool|feed id`; the value is the feed's time, 9 bytes."""

from __future__ import annotations

from pipeline.topics import Table


def is_settled(_time_ms: int) -> bool:
    """Give yes: a feed counts once, and never changes."""
    return True


FEEDS = Table(name="feeds", value=int, keeps="for ever: a feed counts once", entries_max=10_000_000, settled=is_settled)
