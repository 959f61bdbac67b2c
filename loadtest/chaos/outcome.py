"""The outcome of a chaos run as data: what was done, what hit, what held."""

from __future__ import annotations

import platform
import subprocess
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import confluent_kafka
import msgspec

from loadtest.chaos.schedule import count_kinds
from loadtest.chaos.trial import Course
from loadtest.chaos.verdict import Verdicts
from loadtest.oracle.checks import all_held
from pipeline.settings import ROOT

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from loadtest.chaos.fault import Planned
    from loadtest.chaos.ledger import Entry
    from loadtest.chaos.load_plan import Load


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is repeated with, and what it ran on."""

    date: str
    commit: str
    versions: dict[str, str]
    profile: str
    seed: int
    mutant: str
    orders: int
    faults: int
    planned: dict[str, int]
    """Faults by kind."""


class KindLine(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of fault in one run. A kind is invalid where none of its faults hit."""

    kind: str
    planned: int
    done: int
    hit: int
    counts: dict[str, float]
    """What its faults counted, summed up."""

    @property
    def valid(self) -> bool:
        """Whether a fault of the kind hit."""
        return self.hit > 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """All that a run shows."""

    held: bool
    broken: list[str]
    """What did not hold, in words; empty where all held."""
    invalid: list[str]
    """What proves nothing, in words."""
    setup: Setup
    kinds: list[KindLine]
    verdicts: Verdicts
    course: Course
    seconds: float


def setup(options: argparse.Namespace, load: Load, planned: Sequence[Planned]) -> Setup:
    """Note what a run is made with."""
    return Setup(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit(),
        versions={
            "python": platform.python_version(),
            "librdkafka": str(confluent_kafka.libversion()[0]),
            "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        },
        profile=options.profile,
        seed=options.seed,
        mutant=options.mutant,
        orders=load.orders,
        faults=len(planned),
        planned=dict(count_kinds(planned)),
    )


def commit() -> str:
    """Name the commit, with a plus where files differ from it; empty outside a checkout."""
    git = ("git", "-C", str(ROOT))
    found = subprocess.run((*git, "rev-parse", "--short", "HEAD"), capture_output=True, text=True, check=False)  # noqa: S603
    changed = subprocess.run((*git, "status", "--porcelain", "-uno"), capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip() + ("+" if changed.stdout.strip() else "")


def kind_lines(planned: dict[str, int], entries: Iterable[Entry]) -> list[KindLine]:
    """Count the faults of each kind, those that were done and those that hit."""
    done: Counter[str] = Counter()
    hit: Counter[str] = Counter()
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in planned}
    for entry in entries:
        done[entry.kind] += 1
        hit[entry.kind] += entry.hit
        for name, number in entry.counts.items():
            counts[entry.kind][name] += number  # type: ignore[assignment]  # a sum of seconds is no whole number
    return [
        KindLine(kind=kind, planned=number, done=done[kind], hit=hit[kind], counts=dict(counts[kind]))
        for kind, number in sorted(planned.items())
    ]


def judge(made: Setup, course: Course, verdicts: Verdicts, seconds: float) -> Outcome:
    """Put everything together."""
    kinds = kind_lines(made.planned, course.entries)
    broken = list(_broken(course, verdicts))
    invalid = [f"{line.kind}: {line.planned} planned, none hit" for line in kinds if not line.valid]
    return Outcome(
        held=not broken and not invalid and all_held(verdicts.findings),
        broken=broken,
        invalid=invalid
        + [f"check {one.name}: {'; '.join(one.first)}" for one in verdicts.findings if one.verdict == "invalid"],
        setup=made,
        kinds=kinds,
        verdicts=verdicts,
        course=course,
        seconds=seconds,
    )


def _broken(course: Course, verdicts: Verdicts) -> Iterable[str]:
    for finding in verdicts.findings:
        if finding.verdict == "broken":
            yield f"{finding.name}: {finding.broken} of {finding.judged}: {'; '.join(finding.first)}"
    for refusal in (one for one in course.refusals if not one.expected):
        yield f"{refusal.exit.process} refused to start: {refusal.log.splitlines()[-1].strip()}"
    if course.stopped_early:
        return
    if not course.settled:
        yield "the run did not come to rest in time"
    if not course.drained:
        yield "not all processes drained on SIGTERM"
    if course.standing.failed:
        yield f"{course.standing.failed} records of the load were not acknowledged"
