"""Bounds: nothing waits or stays open, nothing grows without end, and nobody's address is where it may not be."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median
from typing import TYPE_CHECKING

from loadtest.oracle.checks import Check
from loadtest.oracle.history import (
    ENDS,
    EVENTS,
    INPUTS,
    LETTERS,
    OFFSETS,
    PARTS,
    RAW,
    SAMPLES,
    SCANNED,
)
from loadtest.oracle.model.folding import RAW_TOPIC, folded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.oracle.history import History
    from loadtest.oracle.traces import Sample

PARTS_MAX = 100
"""Active parts of one partition of a ClickHouse table; the server itself begins to refuse at 3,000."""
WARM_UP_MS = 30_000
JUDGED_MS_MIN = 120_000
"""A process that was sampled for less after its warm-up tells nothing of a slope."""
ENTRY_BYTES_MAX = 2_000
"""What an entry of a table may take in memory, all in all."""
RSS_SLACK_BYTES = 96 * 1024 * 1024
"""Growth that is no slope: buffers and caches that fill once."""
SINK_SLACK_BYTES = 320 * 1024 * 1024
"""Of the sink, which has no tables: while it catches up, up to 60,000 rows and what two consumers fetch ahead."""
SERVERS = frozenset({"kafka", "redis", "clickhouse"})
"""They have limits of their own, and fill them."""


def _lagging(history: History) -> Iterator[str]:
    last = {(topic, record.partition): record.offset for topic, records in history.inputs.items() for record in records}
    for message in history.raw:
        _, number, at = message.source.rsplit("-", 2)
        place = RAW_TOPIC, int(number)
        last[place] = max(int(at), last.get(place, -1))
    for (topic, partition), offset in sorted(last.items()):
        committed = history.offsets.get((topic, partition), 0)
        if committed <= offset:
            yield f"{topic}-{partition}: committed offset {committed}, the last record is {offset}"


def _open(history: History) -> Iterator[str]:
    for end in history.ends:
        if end.high != end.stable:
            yield f"{end.topic}-{end.partition}: a transaction is open since offset {end.stable}, the end is {end.high}"


def _series(history: History) -> dict[tuple[str, int], list[Sample]]:
    """Give each process's samples after its warm-up, where they are enough to judge."""
    found: defaultdict[tuple[str, int], list[Sample]] = defaultdict(list)
    for sample in history.samples:
        if sample.process not in SERVERS:
            found[sample.process, sample.pid].append(sample)
    warm = {key: [one for one in some if one.at_ms - some[0].at_ms >= WARM_UP_MS] for key, some in found.items()}
    return {key: some for key, some in warm.items() if some and some[-1].at_ms - some[0].at_ms >= JUDGED_MS_MIN}


def _growing(history: History) -> Iterator[str]:
    for (process, pid), samples in _series(history).items():
        quarter = max(1, len(samples) // 4)
        first, last = samples[:quarter], samples[-quarter:]
        grown = median(one.rss_bytes for one in last) - median(one.rss_bytes for one in first)
        entries = max(sum(one.entries.values()) for one in last) - min(sum(one.entries.values()) for one in first)
        slack = SINK_SLACK_BYTES if process == "sink" else RSS_SLACK_BYTES
        allowed = slack + ENTRY_BYTES_MAX * max(0, entries)
        if grown > allowed:
            seconds = (samples[-1].at_ms - samples[0].at_ms) // 1000
            yield f"{process} (pid {pid}): grew by {grown:,.0f} bytes in {seconds} s, {allowed:,} are allowed"


def _overgrown(history: History) -> Iterator[str]:
    peaks = folded(history).peaks
    most: Counter[str] = Counter()
    for sample in history.samples:
        for table, entries in sample.entries.items():
            most[table] = max(most[table], entries)
    # An entry that has moved to a page and is written again counts once more. Most are written twice then at most; a
    # receiver is with each of his orders, and reports that wait for their parcel with each of them.
    written = {"receivers": peaks["orders"], "parked_reports": len(history.named("ReportParked"))}
    for table, entries in most.items():
        bound = 2 * max(peaks[table], written.get(table, 0))
        if entries > bound:
            yield f"table {table}: {entries} entries in one worker, {bound} are the most that its input calls for"


def _crowded(history: History) -> Iterator[str]:
    for partition, parts in history.parts.items():
        if parts >= PARTS_MAX:
            yield f"ClickHouse, {partition}: {parts} active parts"


def _flooded(history: History) -> Iterator[str]:
    injected = sum(1 for message in history.raw if "dead_letter" in message.expect)
    letters = sum(1 for letter in history.letters if letter.source.startswith(f"{RAW_TOPIC}-"))
    if letters > injected:
        yield f"{letters} dead letters of {len(history.raw)} records, {injected} were sent to become one"


def _leaked(history: History) -> Iterator[str]:
    for leak in history.scanned.leaks:
        yield f"{leak.place}: {leak.word}"


CHECKS = (
    Check(
        "nothing waits",
        "the group's offsets are behind the last record of every input partition",
        (OFFSETS, INPUTS, RAW),
        lambda history: len(history.offsets),
        _lagging,
        invariant="I10",
    ),
    Check(
        "nothing open",
        "no transaction is open on any partition",
        (ENDS,),
        lambda history: len(history.ends),
        _open,
        invariant="I10",
    ),
    Check(
        "memory bounded",
        "after its warm-up no process grows by more than its tables do",
        (SAMPLES,),
        lambda history: len(_series(history)),
        _growing,
        may_judge_nothing=True,
        invariant="I11",
    ),
    Check(
        "tables bounded",
        "no table has more entries than orders call for",
        (SAMPLES, OFFSETS, INPUTS, RAW, EVENTS, LETTERS),
        lambda history: sum(1 for sample in history.samples if sample.entries),
        _overgrown,
        invariant="I11",
    ),
    Check(
        "parts bounded",
        f"no partition of a ClickHouse table has {PARTS_MAX} active parts",
        (PARTS,),
        lambda history: len(history.parts),
        _crowded,
        invariant="I11",
    ),
    Check(
        "dead letters bounded",
        "no more records become dead letters than were sent to",
        (RAW, LETTERS),
        lambda history: len(history.raw),
        _flooded,
        invariant="I11",
    ),
    Check(
        "privacy",
        "no receiver's name, telephone or address is where none may be",
        (SCANNED,),
        lambda history: history.scanned.places if history.scanned.sown else 0,
        _leaked,
        may_judge_nothing=True,
        invariant="I12",
        anytime=True,
    ),
)
