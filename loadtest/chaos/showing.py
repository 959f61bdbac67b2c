"""The outcome of a chaos run, as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from loadtest.showing import show_findings, show_invariants

if TYPE_CHECKING:
    from rich.console import Console

    from loadtest.chaos.outcome import Outcome


def show_outcome(out: Console, outcome: Outcome) -> None:
    """Print the faults by kind, the checks, and what did not hold."""
    table = Table("fault", "planned", "hit", "counted", title="faults")
    for line in outcome.kinds:
        counted = ", ".join(f"{name} {number:g}" for name, number in line.counts.items())
        table.add_row(line.kind, str(line.planned), str(line.hit) if line.valid else f"{line.hit} INVALID", counted)
    out.print(table)
    show_findings(out, outcome.verdicts.findings)
    show_invariants(out, outcome.verdicts.invariants)
    course = outcome.course
    out.print(
        f"load: {course.standing.sent:,} records sent, {course.standing.acknowledged:,} acknowledged, at most "
        f"{course.standing.late_seconds:.1f} s late; faults over after {course.faults_over_after_seconds:.0f} s, load "
        f"after {course.load_over_after_seconds:.0f} s; at rest {course.at_rest_after_seconds:.0f} s later; "
        f"{len(course.exits)} processes ended and were started again"
    )
    for text in outcome.broken:
        out.print(f"BROKEN {text}", markup=False)
    for text in outcome.invalid:
        out.print(f"INVALID {text}", markup=False)
    out.print(f"total: {outcome.seconds:.0f} s; {'ALL HOLD' if outcome.held else 'NOT ALL HOLD'}")
