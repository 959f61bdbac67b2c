"""The figures as a table: medians over the rounds, with the lowest and the highest; ratios round by round. Pure."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtest.peers.trial import Run

COLUMNS = (
    "peer",
    "orders/s",
    "CPU µs an order",
    "broker µs",
    "rate ratio",
    "CPU ratio",
    "guarantee",
    "after kills",
    "without kills",
)
NOTHING = "-"
REFERENCE = "streams"
"""Whom the ratios are against, where it took part; else the first that did."""
RATE_MIN, CPU_MAX = 1.0, 0.75
"""What is wanted of this engine against Kafka Streams."""
FAUST_TIMES_MIN = 10.0
"""What is wanted of all six stages against the same rules on Faust."""


class Span(NamedTuple):
    """The median of some rounds, the lowest and the highest."""

    middle: float
    lowest: float
    highest: float


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One contender's figures. Ratios are to the reference in the same round: rates, and CPU seconds an answer."""

    name: str
    title: str
    guarantee: str
    rate: Span | None = None
    cpu_microseconds: Span | None = None
    broker_microseconds: Span | None = None
    rate_ratio: Span | None = None
    cpu_ratio: Span | None = None
    killed: str = "not tried"
    plain: str = "not tried"
    skipped: str = ""
    """Why it did not take part."""


class Named(NamedTuple):
    """A contender as the table has it."""

    name: str
    title: str
    guarantee: str


def span(figures: Sequence[float]) -> Span | None:
    """Sum up the figures of some rounds; None where there are none."""
    return Span(median(figures), min(figures), max(figures)) if figures else None


def make_rows(
    contenders: Sequence[Named], runs: Sequence[Run], killed: Mapping[str, Run], skipped: Mapping[str, str]
) -> list[Row]:
    """Make a row for each contender; `runs` are in the order of the rounds, `killed` are the runs with kills."""
    names = [contender.name for contender in contenders if contender.name not in skipped]
    reference = REFERENCE if REFERENCE in names else names[0] if names else ""
    of_reference = [run for run in runs if run.contender == reference]
    rows = []
    for contender in contenders:
        mine = [run for run in runs if run.contender == contender.name]
        row = Row(name=contender.name, title=contender.title, guarantee=contender.guarantee)
        if contender.name in skipped:
            row = msgspec.structs.replace(row, skipped=skipped[contender.name])
        elif mine:
            row = _figures(row, mine, of_reference)
        if contender.name in killed:
            row = msgspec.structs.replace(row, killed=_killed(killed[contender.name]))
        rows.append(row)
    return rows


def _figures(row: Row, mine: Sequence[Run], others: Sequence[Run]) -> Row:
    pairs = [(run, other) for run, other in zip(mine, others, strict=False) if run.comparable and other.comparable]
    good = [run for run in mine if run.comparable]
    unclean = [run.verdict for run in mine if run.verdict is not None and not run.verdict.clean]
    stopped = sum(not run.whole for run in mine)
    return msgspec.structs.replace(
        row,
        rate=span([_rate(run) for run in good]),
        cpu_microseconds=span([_cpu(run) for run in good]),
        broker_microseconds=span([run.broker_cpu_seconds / run.measured * 1e6 for run in good]),
        rate_ratio=span([_rate(run) / _rate(other) for run, other in pairs if _rate(other)]),
        cpu_ratio=span([_cpu(run) / _cpu(other) for run, other in pairs if _cpu(other)]),
        plain=str(unclean[0]) if unclean else "not judged: too slow" if stopped == len(mine) else "clean",
    )


def _rate(run: Run) -> float:
    return run.measured / run.seconds if run.seconds else 0.0


def _cpu(run: Run) -> float:
    return run.cpu_seconds / run.measured * 1e6


def _killed(run: Run) -> str:
    if run.verdict is None:
        return f"not judged: too slow ({run.kills} kills)"
    exits = f", {run.exits} exits of its own" if run.exits else ""
    return f"{run.verdict} ({run.kills} kills{exits})"


def lines(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Give the cells of the table, without its head."""
    return [_cells(row) for row in rows]


def _cells(row: Row) -> tuple[str, ...]:
    if row.skipped:
        why = f"no figures: {row.skipped.splitlines()[0]}"
        return (row.title, *(NOTHING,) * 5, row.guarantee, why, NOTHING)
    return (
        row.title,
        _cell(row.rate, "{:,.0f}"),
        _cell(row.cpu_microseconds, "{:.1f}"),
        _cell(row.broker_microseconds, "{:.1f}"),
        _cell(row.rate_ratio, "{:.2f}"),
        _cell(row.cpu_ratio, "{:.2f}"),
        row.guarantee,
        row.killed,
        row.plain,
    )


def _cell(found: Span | None, form: str) -> str:
    if found is None:
        return NOTHING
    if found.lowest == found.highest:
        return form.format(found.middle)
    return f"{form.format(found.middle)} ({form.format(found.lowest)}-{form.format(found.highest)})"


def markdown(rows: Sequence[Row]) -> str:
    """Give the table in Markdown."""
    cells = [COLUMNS, ("---",) * len(COLUMNS), *lines(rows)]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in cells)


def targets(rows: Sequence[Row]) -> list[str]:
    """Say whether this engine meets what is wanted of it against Kafka Streams; nothing where either did not run."""
    if not any(row.name == REFERENCE and row.rate for row in rows):
        return []
    told = []
    for row in rows:
        if row.name.startswith("holdfast") and row.rate_ratio and row.cpu_ratio:
            rate, cpu = row.rate_ratio.middle, row.cpu_ratio.middle
            told.append(
                f"{row.title}: rate {rate:.2f} of Kafka Streams' (at least {RATE_MIN:g}): {_met(rate >= RATE_MIN)}"
            )
            told.append(f"{row.title}: CPU {cpu:.2f} of Kafka Streams' (at most {CPU_MAX:g}): {_met(cpu <= CPU_MAX)}")
    return told


def staged_targets(rows: Sequence[Row]) -> list[str]:
    """Say how many times as fast as the same rules on Faust the pipeline is; its own row is the reference."""
    told = []
    for row in rows:
        if row.name == "faust" and row.rate_ratio and row.rate_ratio.middle and row.cpu_ratio and row.cpu_ratio.middle:
            times, cpu = 1 / row.rate_ratio.middle, row.cpu_ratio.middle
            met = _met(times >= FAUST_TIMES_MIN)
            told.append(f"{times:.1f} times the rate of {row.title} (at least {FAUST_TIMES_MIN:g}): {met}")
            told.append(f"{row.title} take {cpu:.1f} times the CPU an order")
    return told


def _met(met: object) -> str:
    return "met" if met else "MISSED"
