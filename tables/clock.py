"""The newest time that the clock said, one entry: `now`, in milliseconds UTC."""

from __future__ import annotations

from pipeline.topics import Table

CLOCK = Table(name="clock", value=int, keeps="for ever", entries_max=10)
