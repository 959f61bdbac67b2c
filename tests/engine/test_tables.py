from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.tables import CHECKPOINT_KEY, PartitionTables, checkpoint
from pipeline.errors import EngineError
from tests.engine import counting

KEYS = st.sampled_from(["a", "b", "c:d", "é"])
CHANGES = st.lists(st.tuples(KEYS, st.none() | st.integers(0, 9)), max_size=30)


def _restored(log: list[tuple[bytes, bytes | None]]) -> PartitionTables:
    restored = PartitionTables(counting.FIRST)
    for name, value in log:
        restored.restore(name, value)
    restored.finish()
    return restored


@given(st.lists(CHANGES, max_size=5))
def test_a_table_restored_from_its_changelog_is_the_table_that_wrote_it(
    transactions: list[list[tuple[str, int | None]]],
) -> None:
    live = PartitionTables(counting.FIRST)
    log: list[tuple[bytes, bytes | None]] = []
    for offset, changes in enumerate(transactions):
        for key, number in changes:
            if number is None:
                live.tables[0].pop(key)
            else:
                live.tables[0][key] = counting.Count(number)
        live.next_offset = offset + 1
        log += list(live.changes())
    restored = _restored(log)
    assert restored.tables[0] == live.tables[0]
    assert restored.next_offset == live.next_offset


def test_a_key_that_changes_twice_is_written_once_and_the_checkpoint_comes_last() -> None:
    live = PartitionTables(counting.FIRST)
    live.tables[0]["a"] = counting.Count(1)
    live.tables[0]["a"] = counting.Count(2)
    live.next_offset = 9
    keys = [key for key, _ in live.changes()]
    assert keys == [b"counts:a", CHECKPOINT_KEY]
    assert [key for key, _ in live.changes()] == [CHECKPOINT_KEY]


def test_a_dropped_entry_leaves_a_tombstone() -> None:
    live = PartitionTables(counting.FIRST)
    live.tables[0]["a"] = counting.Count(1)
    list(live.changes())
    del live.tables[0]["a"]
    assert next(live.changes()) == (b"counts:a", None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"prices:a", b"\x81\xa6number\x01"),
        (b"counts:a", b"not msgpack"),
        (b"\xff", b"\x81\xa6number\x01"),
        (CHECKPOINT_KEY, None),
        (CHECKPOINT_KEY, b"\x01"),
    ],
)
def test_a_changelog_record_that_cannot_be_applied_is_fatal(key: bytes, value: bytes | None) -> None:
    with pytest.raises(EngineError, match="cannot be applied"):
        _restored([(key, value)])


def test_a_checkpoint_is_restored() -> None:
    tables = PartitionTables(counting.FIRST)
    tables.restore(CHECKPOINT_KEY, checkpoint(42))
    assert tables.next_offset == 42


def test_a_value_that_is_put_where_there_is_none_is_in_the_changelog() -> None:
    live = PartitionTables(counting.FIRST)
    assert live.tables[0].setdefault("a", counting.Count(1)) == counting.Count(1)
    assert live.tables[0].setdefault("a", counting.Count(2)) == counting.Count(1)
    assert _restored(list(live.changes())).tables[0] == {"a": counting.Count(1)}


@pytest.mark.parametrize("change", ["update", "__ior__", "popitem", "clear"])
def test_what_would_change_a_table_past_its_changelog_is_refused(change: str) -> None:
    table = PartitionTables(counting.FIRST).tables[0]
    with pytest.raises(TypeError, match="table counts: entries are put and dropped one by one"):
        getattr(table, change)({"a": counting.Count(1)})
