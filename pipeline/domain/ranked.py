"""A queue by rank that is derived from a table: O(log n) to put, to drop and to take each of the first few."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Rank = tuple[int, ...]
SLACK = 16
"""So many entries may lie in the heap that are gone, before it is built again."""


class Ranked:
    """Keys by rank: the smallest rank first, of equal ranks the smallest key, however it was built."""

    __slots__ = ("_heap", "_ranks")

    def __init__(self) -> None:
        self._ranks: dict[str, Rank] = {}
        self._heap: list[tuple[Rank, str]] = []

    def __len__(self) -> int:
        return len(self._ranks)

    def put(self, key: str, rank: Rank) -> None:
        """Put a key, or give it another rank."""
        if self._ranks.get(key) == rank:
            return
        self._ranks[key] = rank
        heappush(self._heap, (rank, key))
        self._shrink()

    def drop(self, key: str) -> None:
        """Drop a key, if it is there."""
        if self._ranks.pop(key, None) is not None:
            self._shrink()

    def walk(self) -> Iterator[tuple[Rank, str]]:
        """Give rank and key in order, without taking them; the queue must not change meanwhile."""
        heap, ranks = self._heap, self._ranks
        ahead = [(heap[0], 0)] if heap else []
        last = None
        while ahead:
            entry, place = heappop(ahead)
            for child in (2 * place + 1, 2 * place + 2):
                if child < len(heap):
                    heappush(ahead, (heap[child], child))
            if ranks.get(entry[1]) == entry[0] and entry != last:
                last = entry
                yield entry

    def _shrink(self) -> None:
        """Clear away what is gone: off the top at once, all of it when it is more than what is there."""
        heap, ranks = self._heap, self._ranks
        while heap and ranks.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        if len(heap) > 2 * len(ranks) + SLACK:
            heap[:] = [(rank, key) for key, rank in ranks.items()]
            heapify(heap)
