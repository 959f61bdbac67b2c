from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sinks import blocks
from sinks.blocks import BLOCK_AGE_SECONDS_MAX, BUSY_AGE_SECONDS_MAX, Block, Gatherer
from sinks.log import LogRecord

if TYPE_CHECKING:
    import pytest

OCTOBER_MS = int(datetime(2026, 10, 31, 23, 59, 59, 999_000, tzinfo=UTC).timestamp() * 1000)


def _record(partition: int, offset: int, appended_ms: int = OCTOBER_MS, value: bytes = b"x") -> LogRecord:
    return LogRecord(partition, offset, appended_ms, value)


def _taken(gatherer: Gatherer, now_seconds: float) -> list[list[tuple[int, int]]]:
    """Give the blocks, each as the (partition, offset) of its rows."""
    found: list[Block] = []
    while (block := gatherer.take(now_seconds)) is not None:
        found.append(block)
    rows = [[(record.partition, record.offset) for record in block.records] for block in found]
    assert [block.last for block in found] == [dict(each) for each in rows]
    return rows


def test_a_young_block_waits_for_more_rows() -> None:
    gatherer = Gatherer()
    gatherer.add(_record(0, 5), 100.0)
    assert gatherer.take(100.0 + BLOCK_AGE_SECONDS_MAX - 0.01) is None
    gatherer.add(_record(0, 9), 100.2)
    assert _taken(gatherer, 100.0 + BLOCK_AGE_SECONDS_MAX) == [[(0, 5), (0, 9)]]
    assert gatherer.rows == 0


def test_a_block_that_grows_fast_waits_for_more_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BUSY_ROWS", 2)
    gatherer = Gatherer()
    gatherer.add(_record(0, 5), 100.0)
    gatherer.add(_record(0, 9), 100.0)
    assert gatherer.take(100.0 + BUSY_AGE_SECONDS_MAX - 0.01) is None
    assert _taken(gatherer, 100.0 + BUSY_AGE_SECONDS_MAX) == [[(0, 5), (0, 9)]]


def test_what_is_wanted_at_once_does_not_wait() -> None:
    gatherer = Gatherer()
    gatherer.add(_record(0, 5), 100.0)
    assert gatherer.take(100.0) is None
    assert gatherer.take(100.0, at_once=True) is not None
    assert gatherer.rows == 0


def test_a_full_block_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS_MAX", 2)
    gatherer = Gatherer()
    for offset in range(5):
        gatherer.add(_record(0, offset), 0.0)
    assert _taken(gatherer, 0.0) == [[(0, 0), (0, 1)], [(0, 2), (0, 3)]]
    assert gatherer.rows == 1


def test_large_records_fill_a_block_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES_MAX", 10)
    gatherer = Gatherer()
    for offset in range(3):
        gatherer.add(_record(0, offset, value=b"123456"), 0.0)
    assert _taken(gatherer, 0.0) == [[(0, 0), (0, 1)]]


def test_a_block_has_all_partitions_and_one_month() -> None:
    gatherer = Gatherer()
    gatherer.add(_record(0, 1, OCTOBER_MS), 0.0)
    gatherer.add(_record(1, 7, OCTOBER_MS), 0.0)
    gatherer.add(_record(0, 2, OCTOBER_MS + 1), 0.0)
    assert _taken(gatherer, 1.0) == [[(0, 1), (1, 7)], [(0, 2)]]


def test_a_partition_s_blocks_come_in_the_order_of_their_offsets() -> None:
    gatherer = Gatherer()
    for offset, appended_ms in enumerate((OCTOBER_MS, OCTOBER_MS + 1, OCTOBER_MS, OCTOBER_MS + 1)):
        gatherer.add(_record(0, offset, appended_ms), 0.0)
    assert _taken(gatherer, 1.0) == [[(0, 0)], [(0, 1)], [(0, 2)], [(0, 3)]]


def test_what_is_lost_is_forgotten() -> None:
    gatherer = Gatherer()
    gatherer.add(_record(0, 0), 0.0)
    assert gatherer.oldest_ms() == OCTOBER_MS
    gatherer.clear()
    assert (gatherer.rows, gatherer.oldest_ms(), gatherer.take(9.9)) == (0, 0, None)
