"""Tables for people: as wide as their terminal, or, where there is none, wide enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH_WITHOUT_TERMINAL = 200


def show_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; None is nothing."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=WIDTH_WITHOUT_TERMINAL)
    table = Table(*head)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    console.print(table)
