"""The world outside the log: the carrier's book and ClickHouse agree with it; and the log's own ids are unique."""

from __future__ import annotations

from collections import Counter
from hashlib import md5
from typing import TYPE_CHECKING

from loadtest.oracle.checks import Check
from loadtest.oracle.history import BOOK, EVENTS, STORED
from loadtest.oracle.outcomes import OPEN, SIGNED, part_ends

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.oracle.history import History

WRAP = 1 << 64


def _ends(history: History) -> dict[str, str]:
    """Give where each fulfilment order of the run ended."""
    ends: dict[str, str] = {}
    for facts in history.facts_by_order.values():
        ends |= part_ends(facts)
    return ends


def _waybills_live(history: History) -> Counter[str]:
    live: Counter[str] = Counter()
    for entry in history.book:
        if entry.kind in {"accepted", "cancelled"}:
            live[entry.fulfilment_id] += 1 if entry.kind == "accepted" else -1
    return live


def _wrong_waybills(history: History) -> Iterator[str]:
    live = _waybills_live(history)
    for fulfilment_id, end in _ends(history).items():
        wanted = 1 if end in {SIGNED, "returned"} else 0
        if end != OPEN and live[fulfilment_id] != wanted:
            yield f"fulfilment order {fulfilment_id}: {end} with {live[fulfilment_id]} live waybills at the carrier"


def _invented_waybills(history: History) -> Iterator[str]:
    known = _ends(history)
    for entry in history.book:
        if entry.fulfilment_id not in known:
            yield f"fulfilment order {entry.fulfilment_id}: the carrier knows it, the log does not"
    taken = Counter(entry.fulfilment_id for entry in history.book if entry.kind == "accepted")
    for fulfilment_id, times in taken.items():
        if times > 1:
            yield f"fulfilment order {fulfilment_id}: the carrier took it {times} times"


def _other_numbers(history: History) -> Iterator[str]:
    booked = {(entry.fulfilment_id, entry.waybill_no) for entry in history.book if entry.kind == "accepted"}
    for fact in history.named("WaybillIssued"):
        if (fact.fulfilment_id, fact.body["waybill_no"]) not in booked:
            yield f"{fact.event_id}: waybill {fact.body['waybill_no']} is not the carrier's for {fact.fulfilment_id}"


def _repeated_ids(history: History) -> Iterator[str]:
    for event_id, times in Counter(fact.event_id for fact in history.facts).items():
        if times > 1:
            yield f"event {event_id}: {times} times in the log"


def _stored_otherwise(history: History) -> Iterator[str]:
    records = Counter(fact.partition for fact in history.facts)
    last: dict[int, int] = {}
    for fact in history.facts:
        last[fact.partition] = max(fact.offset, last.get(fact.partition, -1))
    digests: Counter[int] = Counter()
    for fact in history.facts:
        digests[fact.partition] += int.from_bytes(md5(fact.event_id.encode(), usedforsecurity=False).digest()[:8])
    stored = {row.partition: row for row in history.stored}
    for partition in sorted(records | stored):
        row = stored.get(partition)
        found = row[1:] if row else (0, 0, -1, 0)
        wanted = (records[partition], records[partition], last.get(partition, -1), digests[partition] % WRAP)
        if found != wanted:
            words = f"in ClickHouse {found}, in the topic {wanted}"
            yield f"partition {partition}: (rows, ids, last offset, the sum of the ids' digests) {words}"


CHECKS = (
    Check(
        "waybills live",
        "by the carrier's book, one live waybill for what was shipped, none for what was not",
        (EVENTS, BOOK),
        lambda history: len(_ends(history)),
        _wrong_waybills,
        invariant="I5",
    ),
    Check(
        "waybills asked for",
        "the carrier took each fulfilment order once, and none that it was not asked",
        (EVENTS, BOOK),
        lambda history: len(history.book),
        _invented_waybills,
        invariant="I5",
        anytime=True,
    ),
    Check(
        "waybill numbers",
        "issued numbers are the carrier's",
        (EVENTS, BOOK),
        lambda history: len(history.named("WaybillIssued")),
        _other_numbers,
        invariant="I5",
    ),
    Check(
        "events unique",
        "no event id is twice in the log",
        (EVENTS,),
        lambda history: len(history.facts),
        _repeated_ids,
        invariant="I6",
        anytime=True,
    ),
    Check(
        "ClickHouse complete",
        "rows = distinct ids = records of order.events, to the same last offset",
        (EVENTS, STORED),
        lambda history: len(history.facts),
        _stored_otherwise,
        invariant="I9",
    ),
)
