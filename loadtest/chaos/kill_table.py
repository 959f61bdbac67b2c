"""The kill table: which mutants were found out, by what, and how soon."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from rich.table import Table

from loadtest.chaos.mutants import MUTANTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PRODUCT = "(the product)"
"""Stands where no mutant is."""
FOUND_SHARE_MIN = 0.95
"""Of the seeds: 19 of 20."""
TITLES = ("mutant", "what is broken", "found out", "by", "expected", "faults", "seconds")


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

    def is_as_wanted(self) -> bool:
        """Say whether the mutant was found out, or, where nothing is to be found, whether everything held."""
        if self.mutant == PRODUCT:
            return self.held == self.seeds
        if self.harmless:
            return self.caught == 0
        return self.seeds > 0 and self.caught >= FOUND_SHARE_MIN * self.seeds


def rows_of(names: Sequence[str], trials: Iterable[Trial]) -> list[Row]:
    """Sum up, in the order of the names."""
    by_name: dict[str, list[Trial]] = {name: [] for name in names}
    for trial in trials:
        by_name[trial.mutant].append(trial)
    return [_row(name, found) for name, found in by_name.items()]


def _row(name: str, trials: Sequence[Trial]) -> Row:
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
    )


def _first_sentence(text: str | None) -> str:
    return " ".join((text or "").split("\n\n", maxsplit=1)[0].split())


def line(trial: Trial) -> str:
    """Say in a line what came of a trial."""
    word = f"found out by {' '.join(trial.by)}" if trial.caught else "held" if trial.held else "not found out"
    return (
        f"seed {trial.seed:3} {trial.mutant:45} {word}, {trial.faults} faults, {trial.seconds:.0f} s: {trial.why[:160]}"
    )


def _cells(row: Row) -> tuple[str, ...]:
    expected = f"nothing: {row.harmless}" if row.harmless else row.expected or "nothing"
    found = f"{row.caught}/{row.seeds}"
    return row.mutant, row.breaks, found, row.by or "-", expected, f"{row.faults:g}", f"{row.seconds:.0f}"


def as_table(rows: Iterable[Row]) -> Table:
    """Give the table for a terminal; what is not as wanted is red."""
    table = Table(*TITLES, title="mutants")
    for row in rows:
        table.add_row(*_cells(row), style="" if row.is_as_wanted() else "red")
    return table


def as_markdown(rows: Sequence[Row]) -> str:
    """Give the table as Markdown, with what was seen first of each mutant below it."""
    lines = [_markdown_row(TITLES), _markdown_row(["---"] * len(TITLES)), *(_markdown_row(_cells(row)) for row in rows)]
    seen = [f"- `{row.mutant}`: {row.why}" for row in rows if row.why]
    return "\n".join([*lines, "", "What was seen first:", "", *seen, ""])


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
