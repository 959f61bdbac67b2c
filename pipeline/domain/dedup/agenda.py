"""What is due by when: an index over a table of deadlines, built from its entries when it is first asked.

It is derived: a restored table gives the same index as the one that was kept up.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Agenda:
    """The deadlines of a table, soonest first. An entry that was dropped or moved is passed over when it comes up."""

    __slots__ = ("_soonest",)

    def __init__(self) -> None:
        self._soonest: list[tuple[int, str]] | None = None

    def note(self, key: str, due_at: int) -> None:
        """Take up an entry that was put into the table."""
        if self._soonest is not None:
            heappush(self._soonest, (due_at, key))

    def due(self, deadlines: Mapping[str, int], at: int, entries_max: int) -> list[tuple[int, str]]:
        """Give the first entries that are due by `at`, as (due_at, key), soonest first. They stay until dropped."""
        if self._soonest is None:
            self._soonest = [(due_at, key) for key, due_at in deadlines.items()]
            heapify(self._soonest)
        soonest, found = self._soonest, list[tuple[int, str]]()
        while soonest and soonest[0][0] <= at and len(found) < entries_max:
            entry = heappop(soonest)
            if deadlines.get(entry[1]) == entry[0] and (not found or found[-1] != entry):
                found.append(entry)
        for entry in found:
            heappush(soonest, entry)
        return found
