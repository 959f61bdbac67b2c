"""The report as one HTML page: no script, nothing fetched, readable in light and in dark."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from loadtest.profiles import tables
from loadtest.profiles.plot import Mark, colour, number, svg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadtest.profiles.baseline import Compared
    from loadtest.profiles.result import Chart, Result
    from loadtest.profiles.tables import Table

MORE_SHARE = 0.1
STYLE = Path(__file__).with_name("page.css")


def page(result: Result, compared: Sequence[Compared]) -> str:
    """Give the whole page."""
    title = escape(f"Load profile {result.setup.profile}")
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>\n{STYLE.read_text()}</style></head><body>",
        *_head(result, compared),
        *_table("Answers", tables.answers(result)),
        *_table("Latency by phase, intended send to last stage", tables.spells(result.phases)),
        *_table("Latency by minute, intended send to last stage", tables.spells(result.minutes)),
        *_charts(result),
        *(_table("Beside the baseline", tables.baseline(compared)) if compared else ()),
        *_table("Processes, from the first order to rest", tables.processes(result)),
        *(_table("Faults", tables.faults(result)) if result.faults else ()),
        *_table("Outcomes of the orders", tables.outcomes(result)),
        *_table("Verdict of the independent check", tables.findings(result)),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _head(result: Result, compared: Sequence[Compared]) -> Iterator[str]:
    setup = result.setup
    size = "the whole profile" if setup.whole else f"rates &times; {setup.scale:g}, {setup.seconds:g} s"
    source = f", {escape(setup.replay)} replayed" if setup.replay else ""
    yield f"<h1>{escape(setup.profile)}</h1><p>{escape(setup.says)}</p>"
    yield f'<p class="faint">{escape(setup.date)} · {size}{source} · {setup.workers} workers · seed {setup.seed} · '
    yield f"{escape(setup.machine)}</p>"
    if result.void:
        yield f'<div class="banner odd"><strong>VOID</strong><p>{escape(result.void)}</p></div>'
    worse = [f"{row.name}: worse than the baseline" for row in compared if row.is_worse]
    wrong = [*result.wrong, *worse]
    if wrong:
        lines = "".join(f"<p>{escape(line)}</p>" for line in wrong)
        yield f'<div class="banner bad"><strong>Not as it must be</strong>{lines}</div>'
    elif not result.void:
        verdict = "every check holds" if setup.judged else "the independent check was not asked"
        said = f"{result.sent.records:,} records accepted, {verdict}"
        yield f'<div class="banner good"><strong>All is well</strong><p>{said}</p></div>'


def _table(title: str, table: Table) -> Iterator[str]:
    yield f"<h2>{escape(title)}</h2>"
    first = table.rows[0] if table.rows else [tables.words("")] * len(table.columns)
    heads = "".join(
        f"<th>{escape(name)}</th>" if cell.is_number else f'<th class="text">{escape(name)}</th>'
        for name, cell in zip(table.columns, first, strict=True)
    )
    yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
    for row in table.rows:
        yield f"<tr>{''.join(_cell(cell) for cell in row)}</tr>"
    yield "</tbody></table>"


def _cell(cell: tables.Cell) -> str:
    names = " ".join(name for name in (cell.tone, "" if cell.is_number else "text") if name)
    return f'<td class="{names}">{escape(cell.text)}</td>' if names else f"<td>{escape(cell.text)}</td>"


def _charts(result: Result) -> Iterator[str]:
    marks = sorted(_marks(result), key=lambda mark: mark.at_seconds)
    until = _until(result)
    yield '<h2>Over time</h2><div class="charts">'
    for chart in result.charts:
        yield f"<figure><h3>{escape(chart.title)}</h3>"
        yield svg(chart, marks, until)
        yield from _legend(chart)
        yield "</figure>"
    yield "</div>"


def _until(result: Result) -> float:
    """Say up to when charts show a run: until its orders are decided and a little on, not all of their parcels' way."""
    ends = [chart.at_seconds[-1] for chart in result.charts if chart.at_seconds]
    decided = result.charts[0].at_seconds[-1:] if result.charts else []
    return max(1.0, min(max(ends, default=1.0), (1 + MORE_SHARE) * max(decided, default=1.0)))


def _marks(result: Result) -> Iterator[Mark]:
    if len(result.phases) > 1:
        for phase in result.phases:
            yield Mark(phase.begin_seconds, phase.name)
    for fault in result.faults:
        yield Mark(fault.at_seconds, fault.kind, is_fault=True)


def _legend(chart: Chart) -> Iterator[str]:
    """Name the courses, each with the largest value that it had."""
    yield '<ul class="legend">'
    for place, course in enumerate(chart.courses):
        known = [value for value in course.values if value is not None]
        most = f'<span class="faint"> max {number(max(known))}</span>' if known else ""
        yield f'<li><i class="{colour(place)}"></i>{escape(course.name)}{most}</li>'
    yield "</ul>"
