"""The account as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from loadtest.costs.box import Box
    from loadtest.costs.floor import Floor
    from loadtest.costs.main import Costs
    from loadtest.costs.pieces import StageCosts

PIECES = ("decode", "decide", "evolve", "encode_events", "encode_commands", "changelog", "loop")
THREADS_SHOWN = 5


def show(out: Console, costs: Costs) -> None:
    """Show all that was measured."""
    out.print(f"{costs.orders:,} orders of {costs.lines:.1f} lines, {costs.events:.1f} events each; CPU µs per order")
    out.print(_stages(costs.stages))
    for varied in costs.varied:
        out.print(f"the stages' code with {varied.what:16} {varied.microseconds:7.1f} µs an order")
    if costs.floor is not None:
        _show_floor(out, costs.floor)
        out.print(_distances(costs.stages, costs.floor))
    if costs.box is not None:
        out.print(_processes(costs.box))
        _show_sums(out, costs)


def _table(title: str, columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _stages(stages: Sequence[StageCosts]) -> Table:
    rows = [
        (
            stage.stage,
            f"{stage.records:.2f}",
            f"{stage.outputs:.2f}",
            f"{stage.changes:.2f}",
            *(f"{getattr(stage.pieces, piece):.1f}" for piece in PIECES),
            f"{stage.pieces.whole:.1f}",
        )
        for stage in stages
    ]
    rows.append(("all", *[""] * (3 + len(PIECES)), f"{sum(stage.pieces.whole for stage in stages):.1f}"))
    names = [piece.replace("_", " ") for piece in PIECES]
    return _table("A stage's own code", ("stage", "reads", "writes", "changes", *names, "whole"), rows)


def _show_floor(out: Console, floor: Floor) -> None:
    out.print(f"The floor: CPU µs per record of {floor.record_bytes:.0f} bytes (this process; the broker)")
    for name in ("null_loop", "read", "write"):
        cost = getattr(floor, name)
        out.print(f"  {name.replace('_', ' '):14} {cost.process:6.2f} {cost.broker:6.2f}")


def _distances(stages: Sequence[StageCosts], floor: Floor) -> Table:
    """Say what each stage takes with its reading and writing, and how many times the floor that is."""
    rows = []
    for stage in stages:
        written = stage.outputs + stage.changes
        read, write = stage.records * floor.read.process, written * floor.write.process
        least = stage.records * floor.read.process + write
        whole = read + stage.pieces.whole + write
        figures = (read, stage.pieces.whole, write, whole, least, whole / least if least else 0.0)
        rows.append((stage.stage, *(f"{figure:.1f}" for figure in figures)))
    return _table("Distance from the floor", ("stage", "read", "own code", "write", "sum", "floor", "times"), rows)


def _processes(box: Box) -> Table:
    rows = [
        (name, f"{used:.0f}", "  ".join(f"{kind} {each:.0f}" for kind, each in _busiest(box, name)))
        for name, used in sorted(box.cpu_microseconds.items(), key=lambda pair: -pair[1])
    ]
    rows.append(("all", f"{sum(box.cpu_microseconds.values()):.0f}", ""))
    return _table(f"The box at work, {box.orders:,} orders", ("process", "µs per order", "by kind of thread"), rows)


def _busiest(box: Box, name: str) -> list[tuple[str, float]]:
    kinds = sorted(box.thread_microseconds.get(name, {}).items(), key=lambda pair: -pair[1])
    return kinds[:THREADS_SHOWN]


def _show_sums(out: Console, costs: Costs) -> None:
    """Compare the sum of the pieces with what the workers took."""
    if costs.box is None or costs.floor is None or costs.calls is None:
        return
    floor, calls = costs.floor, costs.calls
    reads = sum(stage.records for stage in costs.stages)
    writes = sum(stage.outputs + stage.changes for stage in costs.stages)
    waybills = next(stage.records for stage in costs.stages if stage.stage == "waybill") / 2
    parts = {
        "the stages' code": sum(stage.pieces.whole for stage in costs.stages),
        f"{reads:.1f} records read": reads * floor.read.process,
        f"{writes:.1f} records written, committed": writes * floor.write.process,
        f"{waybills:.1f} carrier calls": waybills * calls.process,
    }
    whole = costs.box.worker_microseconds
    for name, figure in parts.items():
        out.print(f"  {name:34} {figure:7.1f}")
    out.print(f"  {'sum':34} {sum(parts.values()):7.1f}")
    out.print(f"  {'the workers took':34} {whole:7.1f}")
    out.print(f"  {'Faust, event loop and the rest':34} {whole - sum(parts.values()):7.1f}")
    all_of_it = sum(costs.box.cpu_microseconds.values())
    out.print(f"Two cores would do {2e6 / all_of_it:,.0f} orders/s at {all_of_it:.0f} µs an order.")
