"""What the recovery measurement found, and whether it meets the targets."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import msgspec
from rich.table import Table

from loadtest.recovery.filling import Filled
from loadtest.recovery.restart import Restart
from loadtest.recovery.restoring import Restored

if TYPE_CHECKING:
    from rich.console import Console

MILLION = 1_000_000
RECORDS_PER_SECOND_MIN = 300_000
"""Changelog records of one entry each; of entries in pages at least as many."""
MEMORY_BYTES_MAX = 200 * MILLION
"""Of a million remembered orders."""
COMMIT_SECONDS_MAX = 5.0
STOCK_TABLES = frozenset({"stock", "shelves", "feeds", "networks", "warehouses"})
"""These grow with the shops' SKUs and not with the orders."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A target, and what was measured."""

    name: str
    measured: float
    target: str
    held: bool


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A recovery measurement. Rates are of the median round."""

    held: bool
    targets: list[Target]
    filled: Filled
    restored: Restored
    unpaged_filled: Filled | None
    unpaged: Restored | None
    restarts: list[Restart]


def judge(
    filled: Filled,
    restored: Restored,
    unpaged_filled: Filled | None,
    unpaged: Restored | None,
    restarts: list[Restart],
) -> Result:
    """Compare with the targets."""
    rate, memory = restored.entries / median(restored.seconds), remembered_bytes(restored) / filled.orders * MILLION
    targets = [
        _at_least("remembered entries restored per second", rate, RECORDS_PER_SECOND_MIN),
        _at_most("bytes of memory per million remembered orders", memory, MEMORY_BYTES_MAX),
    ]
    if unpaged is not None:
        rate = unpaged.records / median(unpaged.seconds)
        targets.append(_at_least("changelog records of one entry restored per second", rate, RECORDS_PER_SECOND_MIN))
    if restarts:
        worst = max(restart.committed for restart in restarts)
        targets.append(_at_most("seconds from SIGKILL to the first commit, at worst", worst, COMMIT_SECONDS_MAX))
    return Result(
        held=all(target.held for target in targets),
        targets=targets,
        filled=filled,
        restored=restored,
        unpaged_filled=unpaged_filled,
        unpaged=unpaged,
        restarts=restarts,
    )


def _at_least(name: str, measured: float, wanted: float) -> Target:
    return Target(name=name, measured=measured, target=f"≥ {wanted:,.0f}", held=measured >= wanted)


def _at_most(name: str, measured: float, wanted: float) -> Target:
    return Target(name=name, measured=measured, target=f"≤ {wanted:,.0f}", held=measured <= wanted)


def remembered_bytes(restored: Restored) -> int:
    """Give the memory that the orders take: that of the restore, less what the stock's own tables hold."""
    return restored.memory_bytes - sum(size.live_bytes for size in restored.tables if size.table in STOCK_TABLES)


def show(out: Console, result: Result) -> None:
    """Print all of it."""
    _show_restore(out, "all tables, settled entries in pages", result.filled, result.restored)
    if result.unpaged is not None and result.unpaged_filled is not None:
        _show_restore(out, "without pages: each entry a record", result.unpaged_filled, result.unpaged)
    _show_tables(out, result.restored, result.filled.orders)
    if result.restarts:
        _show_restarts(out, result.restarts)
    table = Table(title="Targets")
    for column in ("target", "measured", "wanted", ""):
        table.add_column(column, justify="right" if column in {"measured", "wanted"} else "left")
    for target in result.targets:
        met = "[green]met[/green]" if target.held else "[red]MISSED[/red]"
        table.add_row(target.name, f"{target.measured:,.{0 if target.measured > 100 else 2}f}", target.target, met)  # noqa: PLR2004
    out.print(table)


def _show_restore(out: Console, title: str, filled: Filled, restored: Restored) -> None:
    table = Table(title=f"Restore of {filled.orders:,} orders: {title}")
    for column in ("round", "seconds", "CPU seconds", "changelog records/s", "entries/s"):
        table.add_column(column, justify="right")
    for number, (seconds, cpu) in enumerate(zip(restored.seconds, restored.cpu_seconds, strict=True), 1):
        rates = (f"{count / seconds:,.0f}" for count in (restored.records, restored.entries))
        table.add_row(str(number), f"{seconds:.2f}", f"{cpu:.2f}", *rates)
    out.print(table)
    out.print(
        f"{restored.records:,} changelog records with {restored.entries:,} entries; "
        f"{filled.uncompacted_records:,} of the records are transactions that compaction has not seen"
    )


def _show_tables(out: Console, restored: Restored, orders: int) -> None:
    table = Table(title=f"Memory after the restore of {orders:,} orders")
    for column in ("table", "live entries", "MB", "entries in pages", "MB (pages)", "bytes an entry"):
        table.add_column(column, justify="left" if column == "table" else "right")
    for size in sorted(restored.tables, key=lambda size: -size.live_bytes - size.paged_bytes):
        each = size.paged_bytes / size.paged_entries if size.paged_entries else 0
        table.add_row(
            size.table,
            f"{size.live_entries:,}",
            f"{size.live_bytes / MILLION:.1f}",
            f"{size.paged_entries:,}",
            f"{size.paged_bytes / MILLION:.1f}",
            f"{each:.0f}" if each else "",
        )
    out.print(table)
    of_all, of_orders = restored.memory_bytes / MILLION, remembered_bytes(restored) / MILLION
    out.print(f"resident memory grew by {of_all:,.0f} MB, {of_orders:,.0f} MB of it not for the stock's own tables")


def _show_restarts(out: Console, restarts: list[Restart]) -> None:
    table = Table(title="SIGKILL to the first commit of the successor (seconds after the kill)")
    columns = ("process started", "modules read, topics checked", "joined, restored", "(the restore)", "committed")
    for column in columns:
        table.add_column(column, justify="right")
    for one in restarts:
        times = (one.started, one.checked, one.restored, one.restore_seconds, one.committed)
        table.add_row(*(f"{seconds:.2f}" for seconds in times))
    out.print(table)
