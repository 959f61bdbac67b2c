"""Which entries of a table are overdue when: an index that follows from the table, built with the first Tick.

Without a clock nobody asks, and it costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain.ranked import Ranked

if TYPE_CHECKING:
    from collections.abc import Iterable


class Alarms:
    """Keys by the time of their next alarm; an entry without one is not in it."""

    __slots__ = ("_queue",)

    def __init__(self) -> None:
        self._queue: Ranked | None = None

    def note(self, key: str, alarm_at: int) -> None:
        """Keep up with an entry that was put: 0 for no alarm."""
        if self._queue is None:
            return
        if alarm_at:
            self._queue.put(key, (alarm_at,))
        else:
            self._queue.drop(key)

    def due(self, entries: Iterable[tuple[str, int]], at: int, entries_max: int) -> list[str]:
        """Give the keys that are due by `at` (ms UTC), the longest due first; `entries` are all, to build the index."""
        if self._queue is None:
            self._queue = Ranked()
            for key, alarm_at in entries:
                self.note(key, alarm_at)
        found: list[str] = []
        for (alarm_at,), key in self._queue.walk():
            if alarm_at > at or len(found) >= entries_max:
                break
            found.append(key)
        return found
