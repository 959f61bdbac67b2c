"""What a run shows on the screen: its steps, its progress, and its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from loadtest.oracle.checks import Verdict, all_held

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtest.counts import Counts, Node
    from loadtest.latency import Latency
    from loadtest.lateness import SendReport
    from loadtest.oracle.checks import Finding, Line
    from loadtest.scraping import Scrape

STAGES = ("ingest", "dedup", "reservation", "routing", "waybill", "carrier_calls", "tracking")
"""The stages in flow order, as their metrics name them."""
COLOURS = {Verdict.HELD: "green", Verdict.BROKEN: "red", Verdict.INVALID: "yellow"}
WIDTH = 120


def console() -> Console:
    """Give the console: as wide as the terminal, or WIDTH where the output goes into a file."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH, soft_wrap=True)


def progress_table(seconds: float, sent: int, rate: float, seen: tuple[Counts, Scrape]) -> Table:
    """Give one moment of a replay as a table: orders by stage of their way, and what waits for each stage."""
    counts, waiting = seen
    table = Table(title=f"{seconds:5.0f} s   {sent:,} records sent   {rate:,.0f} records/s received", min_width=90)
    for column in ("stage", "records waiting", "oldest (s)"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for stage in _stages(waiting):
        table.add_row(stage, f"{waiting.lag_records[stage]:,}", f"{waiting.lag_seconds.get(stage, 0):.2f}")
    table.caption = (
        f"held {counts.held:,}   refused {counts.refused:,}   waybills {counts.waybills:,}   "
        f"signed {counts.signed:,}   events {counts.events:,}"
    )
    return table


def progress_line(seconds: float, sent: int, rate: float, seen: tuple[Counts, Scrape]) -> str:
    """Give the same moment as a line."""
    counts, waiting = seen
    lag = " ".join(f"{stage} {waiting.lag_records[stage]}" for stage in _stages(waiting))
    return (
        f"{seconds:4.0f} s  sent {sent}  {rate:.0f}/s  held {counts.held}  refused {counts.refused}  "
        f"waybills {counts.waybills}  signed {counts.signed}  waiting: {lag}"
    )


def _stages(waiting: Scrape) -> list[str]:
    known = [stage for stage in STAGES if stage in waiting.lag_records]
    return known + sorted(set(waiting.lag_records) - set(known))


def show_funnel(out: Console, nodes: Sequence[Node]) -> None:
    """Show the funnel."""
    table = Table(title="Funnel (from ClickHouse)")
    table.add_column("node")
    table.add_column("")
    table.add_column("orders", justify="right")
    table.add_column("of the node before", justify="right")
    for node in nodes:
        table.add_row(node.node, node.label, f"{node.orders:,}", f"{node.share_of_previous:.1%}")
    out.print(table)


def show_outcomes(out: Console, outcomes: Mapping[str, int]) -> None:
    """Show how many orders ended where."""
    table = Table(title="Outcomes (from the topics)")
    table.add_column("outcome")
    table.add_column("orders", justify="right")
    for outcome, orders in sorted(outcomes.items(), key=lambda pair: -pair[1]):
        table.add_row(outcome, f"{orders:,}")
    out.print(table)


def show_latencies(out: Console, measured: Sequence[Latency], sent: SendReport) -> None:
    """Show the latencies, and whether the generator was in time to measure any."""
    table = Table(title="Latency from the intended send")
    for column in ("to", "orders", "p50 (s)", "p95 (s)", "p99 (s)"):
        table.add_column(column, justify="left" if column == "to" else "right")
    for row in measured:
        times = (f"{value:.3f}" for value in (row.p50_seconds, row.p95_seconds, row.p99_seconds))
        table.add_row(row.to, f"{row.orders:,}", *times)
    out.print(table)
    late = f"late p99 {sent.late_p99_seconds * 1000:.0f} ms, {sent.failed} not acknowledged"
    rates = f"{sent.achieved_per_second:,.0f} of {sent.intended_per_second:,.0f} records/s"
    verdict = "" if sent.valid else " — INVALID as a measurement: the generator itself was late"
    out.print(f"load generator: {rates}, {late}{verdict}")


def show_findings(out: Console, findings: Sequence[Finding]) -> None:
    """Show the verdict: each check, and the first offenders of those that do not hold."""
    table = Table(title="Verdict of the independent check")
    for column in ("check", "claim", "judged", "verdict"):
        table.add_column(column, justify="right" if column == "judged" else "left")
    for finding in findings:
        colour = COLOURS[finding.verdict]
        broken = f" ({finding.broken:,})" if finding.broken else ""
        table.add_row(
            finding.name, finding.claim, f"{finding.judged:,}", f"[{colour}]{finding.verdict}{broken}[/{colour}]"
        )
    out.print(table)
    for finding in findings:
        if finding.verdict is not Verdict.HELD:
            for line in finding.first:
                out.print(f"{finding.name}: {line}", markup=False)
    out.print("all checks hold" if all_held(list(findings)) else "NOT all checks hold")


def show_invariants(out: Console, lines: Sequence[Line]) -> None:
    """Show what came of each invariant, with the checks that it stands on."""
    table = Table(title="Invariants")
    for column in ("", "invariant", "checks", "judged", "verdict"):
        table.add_column(column, justify="right" if column == "judged" else "left")
    for line in lines:
        verdict = f"[{COLOURS[line.verdict]}]{line.verdict}[/]"
        table.add_row(line.invariant, line.claim, ", ".join(line.checks), f"{line.judged:,}", verdict)
    out.print(table)
