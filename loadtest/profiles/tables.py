"""The tables of a report, as plain values: the page and the terminal show the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from loadtest.oracle.checks import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from loadtest.profiles.baseline import Compared
    from loadtest.profiles.result import Backlog, Result, Spell, Target

GOOD, BAD, ODD = "good", "bad", "odd"
TONES = {Verdict.HELD: GOOD, Verdict.BROKEN: BAD, Verdict.INVALID: ODD}
BYTES_PER_MB = 1_000_000


class Cell(NamedTuple):
    """A cell: its text, whether it is a number, and how it is meant."""

    text: str
    is_number: bool = True
    tone: str = ""


class Table(NamedTuple):
    """Columns and rows."""

    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


def words(text: str, tone: str = "") -> Cell:
    """Give a cell of text."""
    return Cell(text, is_number=False, tone=tone)


def answers(result: Result) -> Table:
    """Give what is asked of a run."""
    rows: list[tuple[Cell, ...]] = [(words(name), words(told, tone)) for name, told, tone in _answers(result)]
    return Table(("", "measured"), rows)


def _answers(result: Result) -> Iterator[tuple[str, str, str]]:
    sent = result.sent
    same = sent.records == result.accepted_records and not sent.failed
    told = f"{result.accepted_records:,} of {sent.records:,} records"
    yield "accepted = sent", f"{told}: {'yes' if same else 'NO'}", GOOD if same else BAD
    late = f"{sent.achieved_per_second:,.1f} of {sent.intended_per_second:,.1f} records/s"
    late += f", late p99 {sent.late_p99_seconds * 1000:.1f} ms, at most {sent.late_seconds_max * 1000:.0f} ms"
    yield "generator", f"{late}{' — VOID' if result.void else ''}", ODD if result.void else ""
    for spell in (result.held, result.last):
        yield f"intended send to the {spell.name}", _percentiles(spell), ""
    for backlog in result.backlogs:
        yield f"backlog after {backlog.after}", _told_backlog(backlog), "" if backlog.gone_seconds is not None else BAD
    yield "orders that nothing was decided of", f"{result.undecided:,}", BAD if result.undecided else ""
    for target in result.targets:
        told, tone = _told_target(target)
        yield f"target {target.name} ≤ {target.limit:g}", told, tone


def _percentiles(spell: Spell) -> str:
    times = (spell.p50_seconds, spell.p95_seconds, spell.p99_seconds, spell.max_seconds)
    p50, p95, p99, most = (f"{value * 1000:,.0f}" for value in times)
    return f"p50 {p50} ms, p95 {p95} ms, p99 {p99} ms, max {most} ms ({spell.orders:,} orders)"


def _told_backlog(backlog: Backlog) -> str:
    gone = "never gone" if backlog.gone_seconds is None else f"gone after {backlog.gone_seconds:.1f} s"
    return f"{backlog.orders:,} orders, {gone}"


def _told_target(target: Target) -> tuple[str, str]:
    measured = "never" if target.measured is None else f"{target.measured:,.1f}"
    if target.met is None:
        return f"{measured} (not judged: this is not the whole profile)", ""
    return f"{measured}: {'met' if target.met else 'MISSED'}", GOOD if target.met else BAD


def spells(found: Iterable[Spell]) -> Table:
    """Give latencies of parts of the time."""
    rows: list[tuple[Cell, ...]] = [
        (
            words(spell.name),
            Cell(f"{spell.begin_seconds:.1f}"),
            Cell(f"{spell.orders:,}"),
            *(
                Cell(f"{value * 1000:,.0f}" if spell.orders else "-")
                for value in (spell.p50_seconds, spell.p95_seconds, spell.p99_seconds, spell.max_seconds)
            ),
        )
        for spell in found
    ]
    return Table(("", "from (s)", "orders", "p50 (ms)", "p95 (ms)", "p99 (ms)", "max (ms)"), rows)


def processes(result: Result) -> Table:
    """Give what each process took."""
    rows: list[tuple[Cell, ...]] = [
        (
            words(use.process),
            Cell(f"{use.cpu_seconds:,.2f}"),
            Cell(f"{use.cpu_microseconds_per_order:,.0f}"),
            Cell(f"{use.rss_bytes_begin / BYTES_PER_MB:,.0f}"),
            Cell(f"{use.rss_bytes_max / BYTES_PER_MB:,.0f}"),
            Cell(f"{use.growth_bytes_per_order:,.0f}"),
        )
        for use in result.processes
    ]
    growth = "growth, 2nd half (bytes a record)"
    return Table(("", "CPU (s)", "CPU (µs an order)", "memory at first (MB)", "at most (MB)", growth), rows)


def faults(result: Result) -> Table:
    """Give what was done to the run."""
    rows: list[tuple[Cell, ...]] = [
        (words(fault.kind), Cell(f"{fault.at_seconds:.1f}"), words(fault.told)) for fault in result.faults
    ]
    return Table(("fault", "at (s)", "what came of it"), rows)


def outcomes(result: Result) -> Table:
    """Give how many orders ended where."""
    found = sorted(result.outcomes.items(), key=lambda pair: -pair[1])
    return Table(("outcome", "orders"), [(words(name), Cell(f"{orders:,}")) for name, orders in found])


def findings(result: Result) -> Table:
    """Give the independent check's verdict, with the first offenders of what does not hold."""
    rows: list[tuple[Cell, ...]] = []
    if not result.setup.judged:
        rows.append((words("not asked"), words("the run was made with --unjudged"), Cell("0"), words("none", ODD)))
    for finding in result.findings:
        told = f"{finding.verdict} ({finding.broken:,})" if finding.broken else str(finding.verdict)
        verdict = words(told, TONES[finding.verdict])
        rows.append((words(finding.name), words(finding.claim), Cell(f"{finding.judged:,}"), verdict))
        if finding.verdict is not Verdict.HELD:
            rows += [(words(""), words(line), Cell(""), words("")) for line in finding.first]
    return Table(("check", "claim", "judged", "verdict"), rows)


def baseline(compared: Sequence[Compared]) -> Table:
    """Give the figures beside the baseline's."""
    rows: list[tuple[Cell, ...]] = [
        (
            words(row.name),
            Cell(_figure(row.now)),
            Cell(_figure(row.then)),
            words(row.unit),
            Cell("-" if row.ratio is None else f"{row.ratio:.2f}"),
            words("WORSE" if row.is_worse else "", BAD if row.is_worse else ""),
        )
        for row in compared
    ]
    return Table(("figure", "now", "baseline", "unit", "ratio", ""), rows)


def _figure(value: float | None) -> str:
    return "never" if value is None else f"{value:,.3f}"
