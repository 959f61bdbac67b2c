"""The kill table: which mutants were found out, by what, and how soon."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from rich.table import Table

from loadtest.chaos.mutants import MUTANTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PRODUCT = "(the product)"
"""Stands where no mutant is."""
FOUND_SHARE_MIN = 0.95
"""Of the seeds: 19 of 20."""
SEEN_CHARACTERS_MAX = 300
TITLES = ("mutant", "what is broken", "found out", "by", "expected", "faults", "seconds", "simulator")


class Trial(NamedTuple):
    """A mutant under one seed. `by`: the invariants that were broken when the run ended."""

    mutant: str
    seed: int
    caught: bool
    by: tuple[str, ...] = ()
    why: str = ""
    """The first thing that was broken or invalid, in words."""
    faults: int = 0
    held: bool = False
    """Whether everything held and every kind of fault hit."""
    seconds: float = 0.0
    stopped: bool = False
    """Whether the run was ended as soon as something seemed broken."""
    made: bool = True
    """Whether it was a run at all, and came to an end."""


class Simulated(msgspec.Struct, frozen=True):
    """What the simulator says of a mutant: by how many schedules it is caught, and by which one first (from 1)."""

    schedules: int
    caught: int
    first: int


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """All trials of a mutant. Medians are of the trials that found it out, or of all where none did."""

    mutant: str
    breaks: str
    seeds: int
    caught: int
    held: int
    by: str
    expected: str
    faults: float
    seconds: float
    why: str
    harmless: str
    simulator: str = ""

    def is_as_wanted(self) -> bool:
        """Say whether the mutant was found out, or, where nothing is to be found, whether everything held."""
        if self.mutant == PRODUCT:
            return self.held == self.seeds
        if self.harmless:
            return self.caught == 0
        return self.seeds > 0 and self.caught >= FOUND_SHARE_MIN * self.seeds


def rows_of(
    names: Sequence[str], trials: Iterable[Trial], simulated: Mapping[str, Simulated] | None = None
) -> list[Row]:
    """Sum up, in the order of the names. `simulated`: what the simulator says, by its own names of the mutants."""
    by_name: dict[str, list[Trial]] = {name: [] for name in names}
    for trial in trials:
        by_name[trial.mutant].append(trial)
    return [_row(name, found, simulated or {}) for name, found in by_name.items()]


def _row(name: str, trials: Sequence[Trial], simulated: Mapping[str, Simulated]) -> Row:
    mutant = MUTANTS.get(name)
    caught = [trial for trial in trials if trial.caught]
    timed = caught or trials
    firsts = Counter(trial.by[0] for trial in caught)
    missed = [trial for trial in trials if not trial.caught]
    return Row(
        mutant=name,
        breaks=" And: ".join(_first_sentence(change.make.__doc__) for change in mutant.changes) if mutant else "",
        seeds=len(trials),
        caught=len(caught),
        held=sum(trial.held for trial in trials),
        by=", ".join(f"{invariant} x{times}" for invariant, times in firsts.most_common()),
        expected=" ".join(mutant.shown_by) if mutant and not mutant.harmless else "",
        faults=median(trial.faults for trial in timed) if timed else 0,
        seconds=median(trial.seconds for trial in timed) if timed else 0,
        why=(caught or missed)[0].why if trials else "",
        harmless=mutant.harmless if mutant else "",
        simulator=_simulator(simulated.get(mutant.simulated)) if mutant else "",
    )


def _simulator(said: Simulated | None) -> str:
    if said is None:
        return ""
    first = f", first by number {said.first}" if said.first else ""
    return f"{said.caught}/{said.schedules}{first}"


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").split("\n\n", maxsplit=1)[0].split())


def line(trial: Trial) -> str:
    """Say in a line what came of a trial."""
    word = f"found out by {' '.join(trial.by)}" if trial.caught else "held" if trial.held else "not found out"
    return (
        f"seed {trial.seed:3} {trial.mutant:45} {word}, {trial.faults} faults, {trial.seconds:.0f} s: {trial.why[:160]}"
    )


def _cells(row: Row) -> tuple[str, ...]:
    expected = f"nothing, made up for: {row.harmless}" if row.harmless else row.expected or "nothing"
    found = f"{row.caught}/{row.seeds}"
    numbers = f"{row.faults:g}", f"{row.seconds:.0f}"
    return row.mutant, row.breaks, found, row.by or "-", expected, *numbers, row.simulator or "-"


def as_table(rows: Iterable[Row]) -> Table:
    """Give the table for a terminal; what is not as wanted is red."""
    table = Table(*TITLES, title="mutants")
    for row in rows:
        table.add_row(*_cells(row), style="" if row.is_as_wanted() else "red")
    return table


def as_markdown(rows: Sequence[Row], made: str = "") -> str:
    """Give the table as Markdown: how it was made, and below it what was seen first of each mutant."""
    lines = [
        "# Mutants",
        "",
        made,
        "",
        _markdown_row(TITLES),
        _markdown_row(["---"] * len(TITLES)),
        *(_markdown_row(_cells(row)) for row in rows),
    ]
    seen = [f"- `{row.mutant}`: {row.why[:SEEN_CHARACTERS_MAX]}" for row in rows if row.why]
    return "\n".join([*lines, "", "What was seen first:", "", *seen, ""])


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
