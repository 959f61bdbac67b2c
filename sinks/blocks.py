"""Rows → blocks. A block is a range of offsets of each partition, in one month: ClickHouse stores it as one part.

A part costs ClickHouse about as much as 2,500 rows in it do, whatever is in it, so all partitions share one.
"""

from __future__ import annotations

from array import array
from collections import deque
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from sinks.log import LogRecord
from sinks.rows import read

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCK_ROWS_MAX = 20_000
BLOCK_BYTES_MAX = 16 * 1024 * 1024
"""Of its records. Both are far below where ClickHouse cuts an insert in two: 1,048,449 rows or 256 MiB."""
BLOCK_AGE_SECONDS_MAX = 0.4
"""How long a row may wait for others: it must be visible within 800 ms of its append."""
BUSY_ROWS = 5000
BUSY_AGE_SECONDS_MAX = 1.0
"""How long it may where so many rows came before it was old: above some 1,500 orders/s, where parts cost the most."""
COLUMN_TYPES = {
    "partition": "UInt32",
    "offset": "UInt64",
    "appended_at": "DateTime64(3, 'UTC')",
    "is_event": "Bool",
    "facts": "String",
}
"""What is sent of a row; ClickHouse reads the other columns from `facts`."""
_ARRAYS = {"UInt32": "I", "UInt64": "Q", "DateTime64(3, 'UTC')": "q", "Bool": "B"}
LENGTHS_KNOWN = 4096


class Block(NamedTuple):
    """Records, in the order of the offsets of each partition, and by partition the offset of its last one."""

    last: dict[int, int]
    records: list[LogRecord]
    are_events: list[bool]

    @property
    def oldest_ms(self) -> int:
        """The broker's time of the first row."""
        return self.records[0].appended_ms

    def columns(self) -> list[Sequence[Any]]:
        """Give the values column by column, in the order of COLUMN_TYPES; times in milliseconds UTC."""
        partitions, offsets, appended_ms, values = zip(*self.records, strict=True)
        return [partitions, offsets, appended_ms, self.are_events, [value or b"" for value in values]]

    def native(self) -> bytes:
        """Give the block in ClickHouse's format Native: each column with its name and its type."""
        cells = [_length(len(COLUMN_TYPES)), _length(len(self.records))]
        for (name, column_type), column in zip(COLUMN_TYPES.items(), self.columns(), strict=True):
            cells += _strings([name.encode(), column_type.encode()])
            if column_type == "String":
                cells += _strings(column)
            else:
                cells.append(array(_ARRAYS[column_type], column).tobytes())
        return b"".join(cells)


def _strings(values: Sequence[bytes]) -> list[bytes]:
    """Give each value behind its length."""
    cells = [b""] * (2 * len(values))
    cells[::2] = map(_length, map(len, values))
    cells[1::2] = values
    return cells


@lru_cache(maxsize=LENGTHS_KNOWN)
def _length(count: int) -> bytes:
    """Write a length as ClickHouse does: seven bits a byte, the lowest first (LEB128)."""
    septets = []
    while count > 0x7F:  # noqa: PLR2004 - what seven bits hold
        septets.append(count & 0x7F | 0x80)
        count >>= 7
    return bytes((*septets, count))


class _Growing(msgspec.Struct, kw_only=True):
    """A block to be. Times in ms.

    `since_seconds` is when its first record came, by the caller's clock.
    """

    since_seconds: float
    month_begin_ms: int
    month_end_ms: int
    size_bytes: int
    records: list[LogRecord]

    def is_full(self) -> bool:
        return len(self.records) >= BLOCK_ROWS_MAX or self.size_bytes >= BLOCK_BYTES_MAX

    def is_old(self, now_seconds: float) -> bool:
        is_busy = len(self.records) >= BUSY_ROWS
        return now_seconds - self.since_seconds >= (BUSY_AGE_SECONDS_MAX if is_busy else BLOCK_AGE_SECONDS_MAX)


class Gatherer:
    """Gathers records of one topic into blocks, each partition in the order of its offsets."""

    def __init__(self) -> None:
        self.rows = 0
        """Records held, each a row to be."""
        self.size_bytes = 0
        """Of these records' values."""
        self._growing: _Growing | None = None
        self._full: deque[_Growing] = deque()

    def add(self, record: LogRecord, now_seconds: float) -> None:
        """Take the next record of its partition."""
        size_bytes = len(record.value or b"")
        growing = self._growing
        if (
            growing is None
            or growing.is_full()
            or not growing.month_begin_ms <= record.appended_ms < growing.month_end_ms
        ):
            self._close()
            growing = self._growing = _begin(record.appended_ms, now_seconds)
        growing.records.append(record)
        growing.size_bytes += size_bytes
        self.rows += 1
        self.size_bytes += size_bytes

    def take(self, now_seconds: float, *, at_once: bool = False) -> Block | None:
        """Give the next block that is full or old enough, or `at_once` any, and forget it."""
        growing = self._growing
        if growing is not None and (at_once or growing.is_full() or growing.is_old(now_seconds)):
            self._close()
        if not self._full:
            return None
        taken = self._full.popleft()
        self.rows -= len(taken.records)
        self.size_bytes -= taken.size_bytes
        return make_block(taken.records)

    def oldest_ms(self) -> int:
        """Give the broker's time of the oldest row held, in ms; 0 when there is none."""
        held = self._full[0] if self._full else self._growing
        return 0 if held is None else held.records[0].appended_ms

    def clear(self) -> None:
        """Forget all rows."""
        self._growing = None
        self._full.clear()
        self.rows = self.size_bytes = 0

    def _close(self) -> None:
        if self._growing is not None:
            self._full.append(self._growing)
            self._growing = None


def make_block(records: list[LogRecord]) -> Block:
    """Make a block of records, in the order of the offsets of each partition."""
    last = {partition: offset for partition, offset, _, _ in records}
    return Block(last, records, [read(value) is not None for _, _, _, value in records])


def _begin(appended_ms: int, now_seconds: float) -> _Growing:
    begin = datetime.fromtimestamp(appended_ms // 1000, UTC).replace(day=1, hour=0, minute=0, second=0)
    end = (begin + timedelta(days=31)).replace(day=1)
    return _Growing(
        since_seconds=now_seconds,
        month_begin_ms=int(begin.timestamp()) * 1000,
        month_end_ms=int(end.timestamp()) * 1000,
        size_bytes=0,
        records=[],
    )
