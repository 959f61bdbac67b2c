"""Pages: a table that has turned pages reads as a dict does, restores to itself, and forgets by event time alone."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.live import PagedTable
from pipeline.engine.pages import (
    BLOCK_ENTRIES,
    VALUE_BYTES_MAX,
    Filter,
    build,
    decode_page,
    digest_of,
    encode_page,
    filter_of,
    merge,
    pack_key,
    unpack_key,
)
from pipeline.engine.stage import DecidingStage
from pipeline.engine.tables import SKEW_MS, STEP_MS, PartitionTables
from pipeline.topics import CHANGELOG_RECORD_BYTES_MAX, Table
from tests.engine import counting

HOUR_MS = 60 * 60 * 1000
NUMBERS = Table(
    name="numbers", value=int, keeps="an hour", entries_max=9, settled=lambda value: value % 3 != 0, keep_ms=HOUR_MS
)
FOR_EVER = NUMBERS._replace(keep_ms=0)
HEX_ID = "00112233445566778899aabbccddeeff"
KEYS = st.sampled_from([HEX_ID, f"{HEX_ID}-1", HEX_ID.upper(), "pool|x", "", "é", *"abcdefgh"])
WRITES = st.lists(st.tuples(KEYS, st.none() | st.integers(0, 9)), max_size=12)
Log = list[tuple[bytes, bytes | None]]


def _stage(table: Table) -> DecidingStage:
    return DecidingStage(
        name="numbers",
        reads=counting.FIRST.reads,
        decode=counting.FIRST.decode,
        state=lambda numbers: numbers,
        tables=(table,),
        decide=counting.FIRST.decide,
        evolve=counting.FIRST.evolve,
    )


def restored(table: Table, log: Log, page_entries: int = 3) -> PartitionTables:
    tables = PartitionTables(_stage(table), page_entries)
    for key, value in log:
        tables.restore(key, value)
    tables.finish()
    return tables


def paged(tables: PartitionTables) -> PagedTable:
    (table,) = tables.paged
    return table


def write(tables: PartitionTables, key: str, number: int | None) -> None:
    if number is None:
        tables.tables[0].pop(key)
    else:
        tables.tables[0][key] = number
    tables.turn_pages()


def seen(table: PagedTable, keys: object) -> dict[str, int]:
    return {key: table[key] for key in keys if key in table}  # type: ignore[attr-defined]


@given(st.lists(WRITES, max_size=8))
def test_a_table_with_pages_reads_as_a_dict_and_restores_to_itself(
    transactions: list[list[tuple[str, int | None]]],
) -> None:
    live = PartitionTables(_stage(FOR_EVER), 3)
    model: dict[str, int] = {}
    log: Log = []
    keys = {key for writes in transactions for key, _ in writes}
    for writes in transactions:
        for key, number in writes:
            write(live, key, number)
            model.pop(key, None)
            if number is not None:
                model[key] = number
        log += list(live.changes())
        again = restored(FOR_EVER, log)
        for table in (paged(live), paged(again)):
            assert seen(table, keys) == model
            assert all(table.get(key, "none") == model.get(key, "none") for key in keys)
        assert list(paged(again).pages) == list(paged(live).pages)
        assert list(paged(again).settled) == list(paged(live).settled)


@given(WRITES, WRITES)
def test_a_restored_table_turns_its_pages_where_the_first_one_does(
    before: list[tuple[str, int | None]], after: list[tuple[str, int | None]]
) -> None:
    live = PartitionTables(_stage(NUMBERS), 3)
    for key, number in before:
        write(live, key, number)
    again = restored(NUMBERS, list(live.changes()))
    for key, number in after:
        write(live, key, number)
        write(again, key, number)
    assert list(live.changes()) == list(again.changes())


def test_what_compaction_leaves_restores_the_same() -> None:
    live = PartitionTables(_stage(FOR_EVER), 4)
    log: Log = []
    for number in range(200):
        write(live, f"k{number % 50}", number)
        log += list(live.changes())
    compacted = dict(log)
    last: Log = [(key, value) for key, value in log if value is not None and compacted[key] is value]
    keys = [f"k{number}" for number in range(50)]
    assert seen(paged(restored(FOR_EVER, last, 4)), keys) == seen(paged(live), keys) != {}


def test_pages_older_than_the_table_keeps_are_forgotten_and_the_table_says_until_when() -> None:
    tables = PartitionTables(_stage(NUMBERS), 2)
    for hour in range(4):
        tables.advance(1_000_000 + hour * HOUR_MS, 1_000_000 + hour * HOUR_MS)
        write(tables, f"a{hour}", 1)
        write(tables, f"b{hour}", 2)
    table = paged(tables)
    assert [key for key in ("a0", "a1", "a2", "a3") if key in table] == ["a2", "a3"]
    assert table.forgotten_ms == 1_000_000 + HOUR_MS
    again = restored(NUMBERS, list(tables.changes()), 2)
    assert (paged(again).forgotten_ms, again.watermark_ms) == (table.forgotten_ms, 1_000_000 + 3 * HOUR_MS)


def test_one_wrong_clock_moves_a_partitions_time_by_a_step_and_never_past_the_brokers() -> None:
    tables = PartitionTables(_stage(NUMBERS))
    tables.advance(1_000_000, 10**13)
    tables.advance(10**13, 10**13)
    assert tables.watermark_ms == 1_000_000 + STEP_MS
    fresh = PartitionTables(_stage(NUMBERS))
    fresh.advance(10**15, 10**12)
    assert fresh.watermark_ms == 10**12 + SKEW_MS
    fresh.advance(5, 10**12)
    assert fresh.watermark_ms == 10**12 + SKEW_MS


def test_a_page_stays_until_what_it_remembers_is_old_by_its_own_date() -> None:
    tables = PartitionTables(_stage(NUMBERS), 2)
    tables.advance(1_000_000, 1_000_000)
    tables.advance(1_000_000 + 5 * HOUR_MS, 1_000_000)
    write(tables, "a", 1)
    write(tables, "b", 2)
    tables.turn_pages()
    again = restored(NUMBERS, list(tables.changes()), 2)
    assert again.latest_ms == 1_000_000 + 5 * HOUR_MS
    for hour in range(1, 8):
        again.advance(1_000_000 + hour * HOUR_MS, 1_000_000 + hour * HOUR_MS)
        if hour > 5:
            write(again, f"c{hour}", 1)
            write(again, f"d{hour}", 2)
            again.turn_pages()
            assert ("a" in paged(again)) == (hour < 7)
    assert paged(again).forgotten_ms == 1_000_000 + 5 * HOUR_MS


def test_small_pages_become_one() -> None:
    live = PartitionTables(_stage(FOR_EVER), 2)
    log: Log = []
    for number in range(100):
        write(live, f"k{number}", 1 if number % 2 else 2)
        log += list(live.changes())
    assert len(paged(live).pages) <= 100 / 16 + 8
    assert paged(live).entries == 100
    assert len(paged(restored(FOR_EVER, log, 2)).pages) == len(paged(live).pages)


def test_no_page_outgrows_a_record_of_the_changelog() -> None:
    long = Table(name="texts", value=str, keeps="for ever", entries_max=9, settled=lambda _: True)
    live = PartitionTables(_stage(long), 20)
    log: Log = []
    keys = [f"k{number}" for number in range(400)]
    for key in keys:
        live.tables[0][key] = key + "x" * (VALUE_BYTES_MAX - 20)
        live.turn_pages()
        log += list(live.changes())
    assert max(len(value or b"") for _, value in log) < CHANGELOG_RECORD_BYTES_MAX
    table = paged(restored(long, log, 20))
    assert all(table[key].startswith(f"{key}x") for key in keys[::40])


def test_a_page_of_many_blocks_finds_ids_and_texts_and_nothing_else() -> None:
    ids = [f"{number * 2**96 + number:032x}" for number in range(150)]
    keys = [*ids, *(f"{one}-1" for one in ids), *(f"pool|{one}" for one in ids[:100]), "", "é" * 20]
    entries = {pack_key(key): str(place).encode() for place, key in enumerate(keys)}
    (page,) = build(reversed(entries.items()), 5)
    assert len(page) == len(page.all_digests()) == len(keys) > 4 * BLOCK_ENTRIES
    assert {packed: page.find(packed, digest_of(packed)) for packed in entries} == entries
    assert dict(page.entries()) == entries
    for absent in (f"{ids[7]}-2", f"{ids[7][:8]}{'0' * 24}", "pool|", f"{2**128 - 1:032x}", "f"):
        assert page.find(pack_key(absent), digest_of(pack_key(absent))) is None


def test_the_order_of_writing_leaves_no_trace_in_a_page() -> None:
    entries = [(pack_key(f"{number:032x}"), b"1") for number in range(100)]
    assert list(build(entries, 1)) == list(build(entries[::-1], 1))


def test_an_entry_of_a_settled_order_takes_little_more_than_its_id() -> None:
    chance = Random(1)  # noqa: S311  ids to repeat, not secrets
    entries = [(pack_key(f"{chance.getrandbits(128):032x}"), msgspec.msgpack.encode(["paid", 1])) for _ in range(2_000)]
    (page,) = build(entries, 0)
    assert page.size < 18 * len(entries)


@given(st.text(max_size=40) | KEYS)
def test_a_packed_key_is_its_key(key: str) -> None:
    assert unpack_key(pack_key(key)) == key


def test_ids_take_half_the_room() -> None:
    assert len(pack_key(HEX_ID)) == 17


@given(
    st.dictionaries(st.text(max_size=5), st.binary(max_size=5), min_size=1),
    st.dictionaries(st.text(max_size=5), st.binary(max_size=5), min_size=1),
)
def test_a_merged_page_has_the_newest_of_every_key(old: dict[str, bytes], new: dict[str, bytes]) -> None:
    pages = [
        page
        for at, entries in enumerate((old, new))
        for page in build([(pack_key(key), value) for key, value in entries.items()], at)
    ]
    page = decode_page(encode_page(merge(pages)))
    assert page.newest_ms == 1
    for key, value in (old | new).items():
        assert page.find(pack_key(key), digest_of(pack_key(key))) == value
    assert {unpack_key(packed): value for packed, value in page.entries()} == old | new


def test_a_filter_never_denies_what_was_added_and_denies_most_of_the_rest() -> None:
    (page,) = build([(pack_key(f"in{number}"), b"") for number in range(10_000)], 0)
    for filter_ in (Filter(), filter_of([page])):
        if not filter_.entries:
            filter_.add(page)
        assert all(filter_.may_have(digest_of(pack_key(f"in{number}"))) for number in range(10_000))
    wrong = sum(filter_of([page]).may_have(digest_of(pack_key(f"out{number}"))) for number in range(10_000))
    assert wrong < 800


def test_a_table_without_settled_entries_has_no_pages() -> None:
    with pytest.raises(ValueError, match="does not say when"):
        PagedTable(NUMBERS._replace(settled=None), 2)
