"""A stage's CPU time by piece: its recorded input put again through its own code, the whole loop and then each piece.

Times are this thread's CPU time, so other work on the machine counts little. Nothing is timed record by record: each
piece is a pass over all records, and what the passes leave of the whole is the loop's own (dispatch, counters, pages).
"""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from loadtest.costs.recording import DEAD_LETTERS_MAX
from pipeline.domain.events import Event
from pipeline.domain.notes import Note
from pipeline.engine.deciding import Deciding
from pipeline.engine.outputs import encode_json, event_json
from pipeline.engine.tables import PAGE_ENTRIES, PartitionTables
from pipeline.errors import PoisonError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loadtest.costs.recording import Recorded
    from pipeline.engine.stage import DecidingStage, Record

MICROSECONDS = 1_000_000
COMMIT_RECORDS = 500
"""Input records of a stage between two commits."""

Decoded = list[tuple["Record", "Sequence[Any]"]]


class Pieces(msgspec.Struct, frozen=True, kw_only=True):
    """CPU microseconds per order."""

    decode: float
    decide: float
    evolve: float
    encode_events: float
    encode_commands: float
    changelog: float
    loop: float
    """The rest of the whole; below zero where the passes cost more than the whole did."""
    whole: float


class StageCosts(msgspec.Struct, frozen=True, kw_only=True):
    """A stage's pieces, and how many records it reads and writes, per order."""

    stage: str
    records: float
    outputs: float
    output_bytes: float
    changes: float
    pieces: Pieces


def measure_stage(recorded: Recorded, orders: int, rounds: int) -> StageCosts:
    """Measure a stage. Of several rounds the cheapest is given: other work on the machine can only add."""
    runs = [_measure(recorded, orders) for _ in range(rounds)]
    pieces, changes = min(runs, key=lambda run: run[0].whole)
    return StageCosts(
        stage=recorded.stage.name,
        records=recorded.records / orders,
        outputs=recorded.outputs / orders,
        output_bytes=recorded.written_bytes / orders,
        changes=changes / orders,
        pieces=pieces,
    )


def _measure(recorded: Recorded, orders: int) -> tuple[Pieces, int]:
    stage = recorded.stage
    gc.collect()
    whole, changelog, changes = _whole(stage, recorded.batches)
    decoded: list[Decoded] = []
    decode = _timed(lambda: decoded.extend(_decode(stage, batch) for batch in recorded.batches))
    facts: list[list[Any]] = []
    events: list[tuple[str, int, Event]] = []
    commands: list[Any] = []
    _collect(stage, decoded, (facts, events, commands))
    deciding = _timed(lambda: _decide(stage, decoded))
    evolve = _timed(lambda: _evolve(stage, decoded, facts))
    name = stage.name
    encode_events = _timed(lambda: [event_json(name, cause, index, event) for cause, index, event in events])
    encode_commands = _timed(lambda: [encode_json(command) for command in commands])
    known = decode + deciding + encode_events + encode_commands + changelog
    each = {
        "decode": decode,
        "decide": deciding - evolve,
        "evolve": evolve,
        "encode_events": encode_events,
        "encode_commands": encode_commands,
        "changelog": changelog,
        "loop": whole - known,
        "whole": whole,
    }
    return Pieces(**{piece: seconds / orders * MICROSECONDS for piece, seconds in each.items()}), changes


def _timed(work: Callable[[], object]) -> float:
    """Give the CPU seconds of some work, what it made included and thrown away."""
    started = time.thread_time()
    work()
    return time.thread_time() - started


def _tables(stage: DecidingStage) -> dict[int, PartitionTables]:
    return defaultdict(lambda: PartitionTables(stage, PAGE_ENTRIES))


def _whole(stage: DecidingStage, batches: Sequence[list[Record]]) -> tuple[float, float, int]:
    """Run the loop as the worker does, with a changelog at each commit. Gives its seconds, the changelog's, changes."""
    deciding, tables = Deciding(stage, lambda *_: None, DEAD_LETTERS_MAX), _tables(stage)
    since, changes, changelog, started = 0, 0, 0.0, time.thread_time()
    touched: dict[int, None] = {}
    for batch in batches:
        deciding.run(tables[batch[0].partition], batch)
        touched[batch[0].partition] = None
        since += len(batch)
        if since >= COMMIT_RECORDS and stage.tables:
            begun = time.thread_time()
            changes += sum(1 for number in touched for _ in tables[number].changes())
            changelog += time.thread_time() - begun
            since = 0
            touched.clear()
    return time.thread_time() - started, changelog, changes


def _decode(stage: DecidingStage, batch: Sequence[Record]) -> Decoded:
    found: Decoded = []
    for record in batch:
        try:
            found.append((record, stage.decode(record)))
        except PoisonError:
            continue
    return found


def _collect(stage: DecidingStage, decoded: Sequence[Decoded], into: tuple[Any, Any, Any]) -> None:
    """Fold once, and keep what was answered."""
    facts, events, commands = into
    tables = _tables(stage)
    for batch in decoded:
        facts.append(kept := [])
        for record, asked in batch:
            held = tables[record.partition]
            index = 0
            for command in asked:
                for answer in stage.decide(held.state, command):
                    if isinstance(answer, Event | Note):
                        stage.evolve(held.state, answer)
                        kept.append(answer)
                    else:
                        commands.append(answer)
                    if isinstance(answer, Event):
                        events.append((record.source, index, answer))
                        index += 1


def _decide(stage: DecidingStage, decoded: Sequence[Decoded]) -> None:
    """Decide on every command, and apply the answers."""
    tables, decide, evolve = _tables(stage), stage.decide, stage.evolve
    for batch in decoded:
        if not batch:
            continue
        state = tables[batch[0][0].partition].state
        for _, asked in batch:
            for command in asked:
                for answer in decide(state, command):
                    if isinstance(answer, Event | Note):
                        evolve(state, answer)


def _evolve(stage: DecidingStage, decoded: Sequence[Decoded], facts: Sequence[list[Any]]) -> None:
    """Apply every event and note: without them there would be no state to decide on."""
    tables, evolve = _tables(stage), stage.evolve
    for batch, applied in zip(decoded, facts, strict=True):
        if batch:
            state = tables[batch[0][0].partition].state
            for fact in applied:
                evolve(state, fact)
