"""Rows → blocks. A block is a range of offsets of one partition, in one month: ClickHouse stores it as one part."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sinks.rows import COLUMN_NAMES, Row, row

if TYPE_CHECKING:
    from sinks.log import LogRecord

BLOCK_ROWS_MAX = 20_000
BLOCK_BYTES_MAX = 32 * 1024 * 1024
"""Of its records. Both are far below where ClickHouse cuts an insert in two: 1,048,449 rows or 256 MiB."""
BLOCK_AGE_SECONDS_MAX = 0.4
"""How long a row may wait for others: it must be visible within 800 ms of its append."""
_APPENDED_AT = COLUMN_NAMES.index("appended_at")


class Block(NamedTuple):
    """Rows of a partition, with the offsets of the first and the last record."""

    topic: str
    partition: int
    first: int
    last: int
    rows: list[Row]

    @property
    def name(self) -> str:
        """Name the range: topic-partition-first-last."""
        return f"{self.topic}-{self.partition}-{self.first}-{self.last}"

    def columns(self) -> list[tuple[object, ...]]:
        """Give the block column by column."""
        return list(zip(*self.rows, strict=True))


class _Growing(msgspec.Struct, kw_only=True):
    """A block that still grows. Times in ms; `since_seconds` is when its first row came, by the caller's clock."""

    first: int
    last: int
    since_seconds: float
    month_begin_ms: int
    month_end_ms: int
    size_bytes: int
    rows: list[Row]


class Gatherer:
    """Gathers records of one topic into blocks, in the order of their offsets."""

    def __init__(self, topic: str) -> None:
        self.rows = 0
        """Rows held."""
        self._topic = topic
        self._growing: dict[int, _Growing] = {}
        self._full: deque[Block] = deque()

    def add(self, record: LogRecord, now_seconds: float) -> None:
        """Take the next record of its partition."""
        partition, offset, appended_ms, value = record
        growing = self._growing.get(partition)
        if (
            growing is None
            or not growing.month_begin_ms <= appended_ms < growing.month_end_ms
            or len(growing.rows) >= BLOCK_ROWS_MAX
            or growing.size_bytes >= BLOCK_BYTES_MAX
        ):
            self._close(partition)
            growing = self._growing[partition] = _begin(offset, appended_ms, now_seconds)
        growing.rows.append(row(self._topic, partition, offset, appended_ms, value))
        growing.last = offset
        growing.size_bytes += len(value or b"")
        self.rows += 1

    def take(self, now_seconds: float, *, age_seconds_max: float = BLOCK_AGE_SECONDS_MAX) -> Block | None:
        """Give the next block that is full or old enough, and forget it."""
        if not self._full:
            for partition, growing in sorted(self._growing.items(), key=lambda item: item[1].since_seconds):
                is_full = len(growing.rows) >= BLOCK_ROWS_MAX or growing.size_bytes >= BLOCK_BYTES_MAX
                if is_full or now_seconds - growing.since_seconds >= age_seconds_max:
                    self._close(partition)
                    break
        if not self._full:
            return None
        block = self._full.popleft()
        self.rows -= len(block.rows)
        return block

    def oldest_ms(self) -> int:
        """Give the broker's time of the oldest row held, in ms; 0 when there is none."""
        firsts = [block.rows[0] for block in self._full] + [growing.rows[0] for growing in self._growing.values()]
        return min((first[_APPENDED_AT] for first in firsts), default=0)

    def clear(self) -> None:
        """Forget all rows."""
        self._growing.clear()
        self._full.clear()
        self.rows = 0

    def _close(self, partition: int) -> None:
        growing = self._growing.pop(partition, None)
        if growing is not None:
            self._full.append(Block(self._topic, partition, growing.first, growing.last, growing.rows))


def _begin(offset: int, appended_ms: int, now_seconds: float) -> _Growing:
    begin = datetime.fromtimestamp(appended_ms // 1000, UTC).replace(day=1, hour=0, minute=0, second=0)
    end = (begin + timedelta(days=31)).replace(day=1)
    return _Growing(
        first=offset,
        last=offset,
        since_seconds=now_seconds,
        month_begin_ms=int(begin.timestamp()) * 1000,
        month_end_ms=int(end.timestamp()) * 1000,
        size_bytes=0,
        rows=[],
    )
