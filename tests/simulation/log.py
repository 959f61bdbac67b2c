"""A partition's log as a broker keeps it: offsets, control records, what is committed, up to where that is known."""

from __future__ import annotations

from typing import NamedTuple

Partition = tuple[str, int]
"""A topic's name and a partition's number."""
Headers = tuple[tuple[str, bytes], ...]


class Part:
    """A transaction's part in one partition. It is decided when its marker is written."""

    __slots__ = ("committed", "first_offset", "records")

    def __init__(self, first_offset: int) -> None:
        self.first_offset = first_offset
        self.records: list[Entry] = []
        self.committed: bool | None = None


class Entry(NamedTuple):
    """A record in a log. A control record has neither key nor value, and nobody gets to see it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    part: Part | None
    is_control: bool = False


class Log:
    """One partition."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.entries: list[Entry | None] = []
        """By offset; None where compaction removed a record."""
        self._open: dict[Part, None] = {}

    @property
    def end(self) -> int:
        """The offset that the next record gets."""
        return len(self.entries)

    @property
    def last_stable(self) -> int:
        """The first offset of the oldest open transaction, or the end."""
        return min((part.first_offset for part in self._open), default=len(self.entries))

    def append(  # a record has so many fields
        self, key: bytes | None, value: bytes | None, headers: Headers, part: Part | None, timestamp: int
    ) -> None:
        """Append a record."""
        topic, number = self.partition
        entry = Entry(topic, number, len(self.entries), timestamp, key, value, headers, part)
        self.entries.append(entry)
        if part is not None:
            part.records.append(entry)

    def open_part(self) -> Part:
        """Begin a transaction's part at the end of the log."""
        part = Part(len(self.entries))
        self._open[part] = None
        return part

    def decide(self, part: Part, *, commit: bool, timestamp: int) -> None:
        """Write a transaction's marker."""
        part.committed = commit
        del self._open[part]
        topic, number = self.partition
        self.entries.append(Entry(topic, number, len(self.entries), timestamp, None, None, (), None, is_control=True))

    def read(self, offset: int, records_max: int, *, committed: bool) -> tuple[list[Entry], int]:
        """Give records from an offset on, and the offset to go on from.

        A reader of committed records gets those before the last stable offset whose transaction did not abort.
        """
        found: list[Entry] = []
        end = self.last_stable if committed else len(self.entries)
        while offset < end and len(found) < records_max:
            entry = self.entries[offset]
            offset += 1
            if entry is None or entry.is_control:
                continue
            if committed and entry.part is not None and not entry.part.committed:
                continue
            found.append(entry)
        return found, offset

    @property
    def is_read_by(self) -> int:
        """The offset after the last record that a reader of committed records gets to see."""
        for offset in range(self.last_stable - 1, -1, -1):
            entry = self.entries[offset]
            if entry is not None and not entry.is_control and (entry.part is None or entry.part.committed):
                return offset + 1
        return 0

    def compact(self) -> None:
        """Remove the records whose key has a later value, as far as everything is decided."""
        newest: set[bytes | None] = set()
        for offset in range(self.last_stable - 1, -1, -1):
            entry = self.entries[offset]
            if entry is None or entry.is_control:
                continue
            aborted = entry.part is not None and not entry.part.committed
            if aborted or entry.key in newest:
                self.entries[offset] = None
            else:
                newest.add(entry.key)
