"""Days and minutes of China time, which has one zone and no summer time: UTC + 8 h."""

from __future__ import annotations

CHINA_MS = 8 * 60 * 60 * 1000
MINUTE_MS = 60 * 1000
DAY_MS = 24 * 60 * MINUTE_MS


def day_of(at: int) -> int:
    """Give the number of the day since 1970 that a time (ms UTC) is on."""
    return (at + CHINA_MS) // DAY_MS


def minute_of(at: int) -> int:
    """Give the minute of the day of a time (ms UTC)."""
    return (at + CHINA_MS) % DAY_MS // MINUTE_MS


def moment(day: int, minute: int) -> int:
    """Give the time (ms UTC) of a minute of a day."""
    return day * DAY_MS + minute * MINUTE_MS - CHINA_MS
