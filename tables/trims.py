"""The partial cancellations that counted, by `order id|trim id`; the value is the time, 9 bytes."""

from __future__ import annotations

from pipeline.topics import REMEMBERED_MS, Table


def is_settled(_time_ms: int) -> bool:
    """Give yes: one counts once, and never changes."""
    return True


TRIMS = Table(
    name="trims",
    value=int,
    keeps="400 days: a repeated one must not take units twice",
    entries_max=5_000_000,
    settled=is_settled,
    keep_ms=REMEMBERED_MS,
)
