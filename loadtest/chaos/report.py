"""`python -m loadtest chaos-report DIR|FILE…`: sum up the outcomes of several chaos runs as Markdown."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from loadtest.options import writable
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

GOALS = (
    ("faults that hit", 1_000),
    ("orders", 300_000),
    ("zombies", 60),
    ("broker kills", 60),
    ("ClickHouse kills", 100),
    ("lost carrier answers", 2_000),
)
"""What the long profile is to reach over its seeds, together."""
ZOMBIES = ("zombie", "zombie-in-commit")


class KindSum(msgspec.Struct, frozen=True):
    """A kind of fault in one run, as its outcome has it."""

    kind: str
    planned: int
    hit: int
    counts: dict[str, float] = {}


class SetupSum(msgspec.Struct, frozen=True):
    """What a run was made with, as its outcome has it."""

    date: str
    commit: str
    versions: dict[str, str]
    profile: str
    seed: int
    mutant: str
    orders: int


class LineSum(msgspec.Struct, frozen=True):
    """An invariant in one run."""

    invariant: str
    claim: str
    verdict: str
    judged: int


class _Entry(msgspec.Struct, frozen=True):
    hit: bool
    attempts: int = 1


class _Course(msgspec.Struct, frozen=True):
    entries: list[_Entry] = []


class _Verdicts(msgspec.Struct, frozen=True):
    invariants: list[LineSum] = []


class RunSum(msgspec.Struct, frozen=True):
    """What the report reads of an outcome."""

    held: bool
    broken: list[str]
    invalid: list[str]
    setup: SetupSum
    kinds: list[KindSum]
    verdicts: _Verdicts
    seconds: float
    course: _Course = _Course()


def main(arguments: list[str]) -> int:
    """Print the report, or write it. Gives 0 only if every run held."""
    parser = argparse.ArgumentParser(prog="python -m loadtest chaos-report", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="DIR|FILE", help="outcomes (--json), or folders of them")
    parser.add_argument("--markdown", type=Path, help="write it to this file")
    options = parser.parse_args(arguments)
    writable(markdown=options.markdown)
    runs = read_runs(options.paths)
    text = as_markdown(runs)
    if options.markdown:
        options.markdown.write_text(text)
    else:
        sys.stdout.write(text)
    return 0 if all(run.held for run in runs) else 1


def read_runs(paths: Iterable[Path]) -> list[RunSum]:
    """Read outcomes, by profile and seed. Raises SettingsError, which names the file."""
    runs = []
    for path in paths:
        for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
            try:
                runs.append(msgspec.json.decode(file.read_bytes(), type=RunSum))
            except (OSError, msgspec.DecodeError) as error:
                message = f"{file}: {error}"
                raise SettingsError(message) from error
    if not runs:
        message = "there is no outcome in what was given"
        raise SettingsError(message)
    return sorted(runs, key=lambda run: (run.setup.profile, run.setup.seed))


def reached(runs: Iterable[RunSum]) -> dict[str, int]:
    """Sum up what the goals name."""
    hits: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    orders = 0
    for run in runs:
        orders += run.setup.orders
        for line in run.kinds:
            hits[line.kind] += line.hit
            counts[line.kind] += int(line.counts.get("calls", 0))
    return {
        "faults that hit": sum(hits.values()),
        "orders": orders,
        "zombies": sum(hits[kind] for kind in ZOMBIES),
        "broker kills": hits["broker-kill"],
        "ClickHouse kills": hits["clickhouse-kill"],
        "lost carrier answers": counts["carrier-lost"],
    }


def as_markdown(runs: Sequence[RunSum]) -> str:
    """Write the report: the runs, what they add up to, faults by kind, the invariants, and what did not hold."""
    parts = (_head(runs), _goals(runs), _kinds(runs), _invariants(runs), _runs(runs), _findings(runs))
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(runs: Sequence[RunSum]) -> Iterator[str]:
    setups = [run.setup for run in runs]
    versions = {f"{name} {version}" for setup in setups for name, version in setup.versions.items()}
    commits = ", ".join(sorted({one.commit for one in setups}))
    held = sum(run.held for run in runs)
    again = sum(one.hit and one.attempts > 1 for run in runs for one in run.course.entries)
    yield from (
        "# Chaos runs",
        "",
        (
            f"{len(runs)} runs from {min(one.date for one in setups)} to {max(one.date for one in setups)}, commit "
            f"{commits}; {', '.join(sorted(versions))}. **{held} of {len(runs)} held**: every check of every "
            "invariant, and every kind of fault hit."
        ),
        "",
        (
            "A zombie is a worker that was stopped until others had its partitions, and then went on. A fault that did "
            f"not hit is done again, twice at most: {again:,} of those that hit did so at a later attempt."
        ),
        "",
        (
            "Run one again: `python -m loadtest chaos --profile PROFILE --seed SEED`. This report: "
            "`python -m loadtest chaos-report FOLDER`, of the outcomes that `--json` wrote."
        ),
        "",
    )


def _goals(runs: Sequence[RunSum]) -> Iterator[str]:
    found, clean = reached(runs), reached(run for run in runs if run.held)
    rows = [(name, found[name], clean[name], goal) for name, goal in GOALS]
    yield from _table(("", "all runs", "runs that held", "goal"), rows)


def _kinds(runs: Sequence[RunSum]) -> Iterator[str]:
    planned: Counter[str] = Counter()
    hit: Counter[str] = Counter()
    for run in runs:
        for line in run.kinds:
            planned[line.kind] += line.planned
            hit[line.kind] += line.hit
    yield from _table(("fault", "planned", "hit"), [(kind, planned[kind], hit[kind]) for kind in sorted(planned)])


def _invariants(runs: Sequence[RunSum]) -> Iterator[str]:
    claims: dict[str, str] = {}
    judged: Counter[str] = Counter()
    verdicts: dict[str, Counter[str]] = {}
    for run in runs:
        for line in run.verdicts.invariants:
            claims[line.invariant] = line.claim
            judged[line.invariant] += line.judged
            verdicts.setdefault(line.invariant, Counter())[line.verdict] += 1
    rows = [
        (name, claim, f"{judged[name]:,}", ", ".join(f"{verdict} {n}" for verdict, n in sorted(verdicts[name].items())))
        for name, claim in claims.items()
    ]
    yield from _table(("", "invariant", "judged", "runs"), rows)


def _runs(runs: Sequence[RunSum]) -> Iterator[str]:
    rows = [
        (
            run.setup.profile,
            run.setup.seed,
            run.setup.mutant or "none",
            f"{run.setup.orders:,}",
            sum(line.hit for line in run.kinds),
            f"{run.seconds:.0f} s",
            "held" if run.held else "NOT held",
        )
        for run in runs
    ]
    yield from _table(("profile", "seed", "mutant", "orders", "faults hit", "took", "verdict"), rows)


def _findings(runs: Sequence[RunSum]) -> Iterator[str]:
    for run in runs:
        for name, lines in (("broken", run.broken), ("invalid", run.invalid)):
            for line in lines:
                yield f"- seed {run.setup.seed}, {name}: {line}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in row)} |"
    yield ""
