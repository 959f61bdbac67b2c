"""The chaos itself: the replay gives the same, and the faults really hit. A run without them proves nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from loadtest.oracle.checks import Check
from loadtest.oracle.history import ABORTED, BOOK, FAULTS, REPLAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.oracle.history import History

FAILPOINT = "failpoint:"
KILLS = ("worker-kill", "zombie", FAILPOINT)
"""The faults that end a worker while its transaction may be open."""
KILLS_MIN = 5
"""With fewer of them that hit, it may be that no transaction was open at any."""


def _differing(history: History) -> Iterator[str]:
    for stage in history.replay:
        if stage.differing:
            yield f"stage {stage.stage}: {stage.differing} of {stage.outputs} outputs differ: {'; '.join(stage.first)}"
        if stage.records and not stage.outputs:
            yield f"stage {stage.stage}: {stage.records} records gave no output"


def _missed(history: History) -> Iterator[str]:
    hits: Counter[str] = Counter()
    for fault in history.faults.faults:
        hits[fault.kind] += fault.hit
    for kind, times in sorted(hits.items()):
        if not times:
            evidence = next(fault.evidence for fault in history.faults.faults if fault.kind == kind)
            yield f"{kind}: not one hit; the first says: {evidence}"


def _silent_failpoints(history: History) -> Iterator[str]:
    fired = {line.failpoint for line in history.faults.failpoints}
    for fault in history.faults.faults:
        name = fault.kind.removeprefix(FAILPOINT)
        if fault.kind.startswith(FAILPOINT) and fault.hit and name not in fired:
            yield f"fault {fault.number}: failpoint {name} is said to have fired, and no process wrote so"


def _never_aborted(history: History) -> Iterator[str]:
    kills = sum(fault.hit for fault in history.faults.faults if fault.kind.startswith(KILLS))
    if kills >= KILLS_MIN and not history.aborted:
        yield f"{kills} workers ended, and no record of order.events was aborted: no transaction was open"


def _unfenced(history: History) -> Iterator[str]:
    for fault in history.faults.faults:
        if fault.kind == "zombie" and fault.hit and not fault.counts.get("fenced"):
            yield f"fault {fault.number}: a zombie that nobody fenced: {fault.evidence}"


def _answers_kept(history: History) -> Iterator[str]:
    planned = sum(fault.hit for fault in history.faults.faults if fault.kind == "carrier-lost")
    if planned and all(entry.answered for entry in history.book):
        yield f"{planned} faults of lost answers, and by the carrier's book every answer got through"


def _faults(history: History) -> int:
    return len(history.faults.faults)


CHECKS = (
    Check(
        "replay equal",
        "each stage's code, folded over its input again, gives what the topics hold",
        (REPLAY,),
        lambda history: sum(stage.records for stage in history.replay),
        _differing,
        invariant="I14",
    ),
    Check(
        "faults hit",
        "of every kind of fault that was planned at least one hit",
        (FAULTS,),
        _faults,
        _missed,
        invariant="I15",
        proves_a_fault=True,
    ),
    Check(
        "failpoints fired",
        "each failpoint that counts as hit was written down by the process that died there",
        (FAULTS,),
        _faults,
        _silent_failpoints,
        invariant="I15",
        proves_a_fault=True,
    ),
    Check(
        "transactions aborted",
        "workers were ended with a transaction open: aborted records are in the log",
        (FAULTS, ABORTED),
        _faults,
        _never_aborted,
        invariant="I15",
        proves_a_fault=True,
    ),
    Check(
        "zombies fenced",
        "every zombie that counts as hit was fenced",
        (FAULTS,),
        _faults,
        _unfenced,
        invariant="I15",
        proves_a_fault=True,
    ),
    Check(
        "answers lost",
        "by the carrier's book answers were lost where that was planned",
        (FAULTS, BOOK),
        _faults,
        _answers_kept,
        invariant="I15",
        proves_a_fault=True,
    ),
)
