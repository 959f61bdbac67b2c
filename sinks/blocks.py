"""Rows → blocks. A block is a range of offsets of each partition, in one month: ClickHouse stores it as one part.

A part costs ClickHouse about as much as 2,500 rows in it do, whatever is in it, so all partitions share one.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sinks.log import LogRecord
from sinks.rows import COLUMN_NAMES, Row, row

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
_APPENDED_AT = COLUMN_NAMES.index("appended_at")


class Block(NamedTuple):
    """Rows, in the order of the offsets of each partition, and by partition the offset of its last one."""

    last: dict[int, int]
    rows: list[Row]

    @property
    def oldest_ms(self) -> int:
        """The broker's time of the first row."""
        return int(self.rows[0][_APPENDED_AT])

    def columns(self) -> list[tuple[object, ...]]:
        """Give the block column by column."""
        return list(zip(*self.rows, strict=True))


class _Growing(msgspec.Struct, kw_only=True):
    """A block to be: its records, which take a quarter of its rows' memory. Times in ms.

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

    def __init__(self, topic: str) -> None:
        self.rows = 0
        """Records held, each a row to be."""
        self.size_bytes = 0
        """Of these records' values."""
        self._topic = topic
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
        return _block(self._topic, taken.records)

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


def _block(topic: str, records: Sequence[LogRecord]) -> Block:
    last = {record.partition: record.offset for record in records}
    return Block(last, [row(topic, *record) for record in records])


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
