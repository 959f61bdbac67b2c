"""The recorded run holds; with one anomaly put into it, the check that is made for it says so, under its invariant."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from loadtest.oracle.checks import INVARIANTS, Line, Verdict, invariants
from loadtest.oracle.traces import FaultLine
from loadtest.oracle.verdict import CHECKS, check_all, check_anytime
from tests.loadtest.oracle.anomalies import (
    aborted,
    all_answered,
    changelog,
    checkpoint,
    copy_input,
    crowd,
    drop_input,
    edit,
    extra_entry,
    faults,
    flood,
    funnel,
    growing,
    keep_back,
    leak,
    lose,
    lost_ack,
    minutes,
    move_offset,
    odd_record,
    open_transaction,
    other_ack,
    overgrown,
    oversettle,
    phantom,
    place,
    place_foreign,
    place_lost,
    raw_lost,
    replay_differs,
    resurrect,
    stolen,
    stored,
    swap,
    twice,
    waybill,
    waybill_of_cancelled,
)

if TYPE_CHECKING:
    from loadtest.oracle.history import History
    from tests.loadtest.oracle.anomalies import Change


def _findings(history: History) -> dict[str, Any]:
    return {finding.name: finding for finding in check_all(history)}


def _lines(history: History) -> dict[str, Line]:
    return {line.invariant: line for line in invariants(check_all(history))}


ANOMALIES: tuple[tuple[str, str, Change], ...] = (
    ("I1", "units conserved", stolen),
    ("I1", "units conserved", changelog("reservation", "stock:", [12345, 0])),
    ("I1", "flash returned", keep_back),
    ("I3", "hold lifecycle", resurrect),
    ("I3", "hold lifecycle", oversettle),
    ("I3", "hold lifecycle", lose("HoldPlaced")),
    ("I4", "acknowledged kept", lost_ack),
    ("I4", "acknowledged kept", other_ack),
    ("I4", "one outcome", raw_lost),
    ("I4", "nothing invented", phantom),
    ("I5", "waybills asked for", waybill),
    ("I5", "waybills live", waybill_of_cancelled),
    ("I5", "waybill numbers", edit("WaybillIssued", body={"waybill_no": "SF-another"})),
    ("I6", "causes answered", lose("WaybillClaimed")),
    ("I6", "causes answered", lose("OrderPaid")),
    ("I6", "causes answered", edit("HoldPlaced", event="HoldRefused", to="refused")),
    ("I6", "causes answered", edit("ShipmentTracked", event_id="made-up-0-0")),
    ("I6", "commands asked once", drop_input("routing.commands", b"RouteOrder")),
    ("I6", "commands asked once", drop_input("waybill.commands", b"RecordAnswer")),
    ("I6", "commands asked once", copy_input("carrier.calls", b"CallCarrier")),
    ("I6", "nothing ahead", move_offset("stock.commands", -20)),
    ("I6", "events unique", twice),
    ("I7", "events in order", swap("OrderCreated", "OrderPaid")),
    ("I7", "legal moves", swap("OrderCreated", "OrderPaid")),
    ("I7", "legal moves", edit("ShipmentMoved", to="returned")),
    ("I8", "tables equal", changelog("dedup", "orders:", ["paid", 1, True, None])),
    ("I8", "tables equal", changelog("dedup", "orders:")),
    ("I8", "tables equal", changelog("tracking", "shipments:")),
    ("I8", "tables equal", changelog("waybill", "attempts:", ["claimed", 0, "", None, None, None])),
    ("I8", "tables equal", extra_entry),
    ("I8", "tables equal", odd_record),
    ("I8", "checkpoints meet", checkpoint),
    ("I8", "checkpoints meet", move_offset("order.commands", 1)),
    ("I8", "places equal", place(state="nowhere")),
    ("I8", "places equal", place(offset="0")),
    ("I8", "places equal", place_lost),
    ("I8", "places equal", place_foreign),
    ("I9", "ClickHouse complete", stored(rows=1)),
    ("I9", "ClickHouse complete", stored(rows=-1, distinct_ids=-1)),
    ("I9", "ClickHouse complete", stored(digests=1)),
    ("I9", "funnel counted", funnel),
    ("I9", "minutes counted", minutes),
    ("I10", "nothing waits", move_offset("tracking.commands", -2)),
    ("I10", "nothing open", open_transaction),
    ("I11", "memory bounded", growing),
    ("I11", "tables bounded", overgrown),
    ("I11", "parts bounded", crowd),
    ("I11", "dead letters bounded", flood),
    ("I12", "privacy", leak("logs/worker-0.log near byte 1")),
    ("I12", "privacy", leak("ClickHouse, order_events 0-1")),
    ("I12", "privacy", leak("Redis x")),
    ("I14", "replay equal", replay_differs),
    ("I15", "faults hit", faults(FaultLine(90, "disk-full", hit=False, evidence="no refusal"))),
    ("I15", "failpoints fired", faults(failpoints=False)),
    ("I15", "transactions aborted", aborted),
    ("I15", "zombies fenced", faults(FaultLine(91, "zombie", hit=True))),
    ("I15", "answers lost", all_answered),
)
WRITTEN_ANOMALIES = {
    *("one outcome", "news heard", "nothing invented", "answered once", "no inner dead letters", "as expected"),
    *(
        "reviews asked",
        "nothing oversold",
        "held once",
        "held whole",
        "routed whole",
        "sent again whole",
        "settled once",
        "settled whole",
    ),
    *("feed counted", "waybills live", "waybills asked for", "waybill numbers", "events unique", "ClickHouse complete"),
}
"""The checks that the anomalies of the written history (test_anomalies.py) break."""


def test_the_recorded_run_holds(recorded: History) -> None:
    assert [finding for finding in check_all(recorded) if finding.verdict is not Verdict.HELD] == []


def test_every_invariant_is_judged(recorded: History) -> None:
    lines = invariants(check_all(recorded))
    assert [line.invariant for line in lines] == list(INVARIANTS)
    assert {line.verdict for line in lines} == {Verdict.HELD}


@pytest.mark.parametrize(("invariant", "name", "change"), ANOMALIES)
def test_an_anomaly_is_found_under_its_invariant(recorded: History, invariant: str, name: str, change: Change) -> None:
    broken = Verdict.INVALID if invariant == "I15" else Verdict.BROKEN
    changed = change(recorded)
    finding = _findings(changed)[name]
    assert (finding.verdict, finding.invariant) == (broken, invariant)
    assert finding.first
    assert _lines(changed)[invariant].verdict is broken


def test_of_a_receiver_only_what_was_forgotten_may_be_missing(recorded: History) -> None:
    place, log = next((place, log) for place, log in recorded.changelogs.items() if place[0] == "dedup")
    key, value = next((key, value) for key, value in log.entries.items() if key.startswith("receivers:"))
    order = msgspec.msgpack.decode(value)[0][-1]
    gone = {name: one for name, one in log.entries.items() if name != key}
    older = {**log.entries, key: msgspec.msgpack.encode([[[order[0] - 1, *order[1:]]]])}

    def verdict(entries: dict[str, bytes], forgotten_ms: int) -> Verdict:
        changed = log._replace(entries=entries, forgotten_ms={"receivers": forgotten_ms})
        history = replace(recorded, changelogs={**recorded.changelogs, place: changed})
        found: Verdict = _findings(history)["tables equal"].verdict
        return found

    for entries in (gone, older):
        assert verdict(entries, order[0]) is Verdict.HELD
        assert verdict(entries, order[0] - 1) is Verdict.BROKEN


def test_every_check_has_an_anomaly_that_breaks_it() -> None:
    assert {check.name for check in CHECKS} == {name for _, name, _ in ANOMALIES} | WRITTEN_ANOMALIES


def test_how_the_partitions_of_the_log_interleave_does_not_matter(recorded: History) -> None:
    facts = list(recorded.facts)
    random.Random(5).shuffle(facts)  # noqa: S311 - a choice to repeat, not a secret
    shuffled = replace(
        recorded,
        facts=sorted(facts, key=lambda fact: fact.offset),
        raw=sorted(recorded.raw, key=lambda message: message.source),
    )
    assert [finding for finding in check_all(shuffled) if finding.verdict is not Verdict.HELD] == []


def test_a_beginning_of_the_run_holds_at_any_moment(recorded: History) -> None:
    beginning = replace(recorded, facts=recorded.facts[: len(recorded.facts) // 2])
    assert {finding.verdict for finding in check_anytime(recorded)} == {Verdict.HELD}
    broken = [finding for finding in check_anytime(beginning) if finding.verdict is Verdict.BROKEN]
    assert [finding.name for finding in broken if finding.name not in {"waybills asked for", "nothing oversold"}] == []


def test_what_a_run_does_not_have_is_left_out(recorded: History) -> None:
    plain = replace(recorded, absent=frozenset({"acks", "faults", "samples", "replay", "aborted", "places"}))
    assert not {"places equal", "faults hit", "replay equal"} & set(_findings(plain))
    assert "I15" not in _lines(plain)
