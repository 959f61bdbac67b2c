"""What a mutant is: changes to the product, and what should show that they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

WORKER, SINK = "worker", "sink"


class Change(NamedTuple):
    """One change: to which of the processes, and the function that makes it; its docstring says what it breaks."""

    process: str
    make: Callable[[], None]


class Mutant(NamedTuple):
    """A product with something broken in it. A verdict that does not show that is worth nothing."""

    name: str
    changes: tuple[Change, ...]
    shown_by: tuple[str, ...]
    """The invariants of which one should break first."""
    faults: tuple[str, ...]
    """The kinds of faults that bring it out; none: the load alone does."""
    harmless: str = ""
    """Why it breaks nothing on its own, where another layer makes good for it. It must hold then, and is paired with a
    mutant that lacks the other layer as well."""
    simulated: str = ""
    """The mutant of `tests/simulation/mutants.py` that breaks the same."""
    faults_min: int = 4
    """So many faults has a targeted run at least: one whose moment is short needs more of them to be met."""
