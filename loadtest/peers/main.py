"""`python -m loadtest peers`: the same work for this engine and for its peers, on one broker, in one run.

Everybody reads the same input, keeps the same tables with a changelog, and must give the same answers. Rounds are
interleaved (A B C A B C …), each run on topics of its own; figures begin when a contender is warm. Then each is killed
with SIGKILL in the middle of a smaller input and started again, and an independent model judges what came out.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from rich.table import Table

from loadtest.options import at_least, writable, write_json
from loadtest.peers.contenders import CONTENDERS, Contender, Place, chosen
from loadtest.peers.ground import ground
from loadtest.peers.job import COMMIT_SECONDS, PARTITIONS, Job, make_records
from loadtest.peers.stages import STAGED, staged
from loadtest.peers.table import COLUMNS, Named, Row, lines, make_rows, markdown, staged_targets, targets
from loadtest.peers.tools import ensure
from loadtest.peers.trial import Limits, Run, Trial
from loadtest.peers.work import Reserving
from loadtest.showing import console
from pipeline.errors import SettingsError, SetupError
from pipeline.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

OWN = "holdfast"
TITLES = {
    "reservation": "The reservation stage alone",
    "stages": "All six stages, with the calls to a carrier",
}
WORKS = tuple(TITLES)
SIZES = {"reservation": (200_000, 20_000), "stages": (20_000, 3_000)}
"""Orders of a run, and of one with kills, where none are asked for."""


class Asked(NamedTuple):
    """What contenders are given: the work's name, how much of it, and its limits."""

    work: str
    job: Job
    limits: Limits


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison. `held`: this engine's own answers were right in every run, kills or not."""

    held: bool
    work: str
    orders: int
    lines_max: int
    rounds: int
    machine: str
    targets: list[str]
    rows: list[Row]
    runs: list[Run]
    killed: list[Run]


def main(arguments: list[str]) -> int:
    """Compare. Gives 0 only if this engine's own answers were right. Raises SettingsError, SetupError."""
    parser = argparse.ArgumentParser(prog="python -m loadtest peers", description=__doc__)
    parser.add_argument("--work", choices=WORKS, default=WORKS[0], help="what is to be done (%(default)s)")
    parser.add_argument("--orders", type=int, help=f"orders of each run ({_sizes(0)})")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each peer (%(default)s; 0: only the kills)")
    parser.add_argument("--only", default="", help="peers, separated by commas; all if not given")
    parser.add_argument(
        "--lines", type=int, default=5, help="lines of an order of the reservation job, at most (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="draws the orders (%(default)s)")
    parser.add_argument("--seconds-max", type=int, default=60, help="a slower run is cut off then (%(default)s)")
    parser.add_argument("--kills", type=int, default=3, help="SIGKILLs of each peer (%(default)s; 0: none)")
    parser.add_argument("--kill-orders", type=int, help=f"orders of the run with kills ({_sizes(1)})")
    parser.add_argument("--json", type=Path, help="write the result to this file as data")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    options = parser.parse_args(arguments)
    options.orders = SIZES[options.work][0] if options.orders is None else options.orders
    options.kill_orders = SIZES[options.work][1] if options.kill_orders is None else options.kill_orders
    at_least(1, orders=options.orders, lines=options.lines, seconds_max=options.seconds_max)
    at_least(1, kill_orders=options.kill_orders)
    at_least(0, rounds=options.rounds, kills=options.kills, seed=options.seed)
    writable(json=options.json, markdown=options.markdown)
    if not options.rounds and not options.kills:
        message = "--rounds and --kills: there is nothing to do where both are 0"
        raise SettingsError(message)
    out = console()
    result = compare(out, options)
    _show(out, result)
    if options.json:
        write_json(options.json, result)
    if options.markdown:
        options.markdown.write_text(report(result, " ".join(arguments)))
    return 0 if result.held else 1


def _sizes(which: int) -> str:
    return ", ".join(f"{work}: {sizes[which]}" for work, sizes in SIZES.items())


def compare(out: Console, options: argparse.Namespace) -> Result:
    """Build what is needed, run the rounds, run the kills."""
    base = read_settings(os.environ).run_dir.resolve()
    contenders = chosen(options.only, everybody(options.work))
    missing = ensure({contender.needs for contender in contenders if contender.needs}, base / "peers")
    skipped = {one.name: missing[one.needs] for one in contenders if one.needs in missing}
    for name, why in skipped.items():
        out.print(f"{name} does not take part: {why}")
    taking_part = [contender for contender in contenders if contender.name not in skipped]
    runs: list[Run] = []
    killed: list[Run] = []
    if options.rounds and taking_part:
        job = Job(options.orders, options.lines, options.seed)
        asked = Asked(options.work, job, Limits(options.seconds_max))
        runs = _runs(out, base, taking_part * options.rounds, asked, skipped)
    if options.kills and taking_part:
        job = Job(options.kill_orders, options.lines, options.seed + 1)
        shares = [(number + 1) / (options.kills + 1) for number in range(options.kills)]
        asked = Asked(options.work, job, Limits(options.seconds_max * (options.kills + 1), shares))
        killed = _runs(out, base, taking_part, asked, skipped)
    names = [Named(one.name, one.title, one.guarantee) for one in contenders]
    rows = make_rows(names, runs, {run.contender: run for run in killed}, skipped)
    return Result(
        held=all(run.verdict is not None and run.verdict.clean for run in (*runs, *killed) if _is_own(run)),
        work=options.work,
        orders=options.orders,
        lines_max=options.lines,
        rounds=options.rounds,
        machine=f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}",
        targets=targets(rows) if options.work == WORKS[0] else staged_targets(rows),
        rows=rows,
        runs=runs,
        killed=killed,
    )


def _is_own(run: Run) -> bool:
    return run.contender.startswith(OWN)


def everybody(work: str) -> tuple[Contender, ...]:
    """Give all that can do a work."""
    return CONTENDERS if work == WORKS[0] else STAGED


def _runs(out: Console, base: Path, turns: Sequence[Contender], asked: Asked, skipped: dict[str, str]) -> list[Run]:
    """Give each contender its turn on one broker. One that fails is skipped from then on; this engine must not."""
    runs = []
    with ground(base) as place:
        is_alone = asked.work == WORKS[0]
        work = Reserving(place.fill(make_records(asked.job))) if is_alone else staged(asked.job, place.directory)
        for turn, contender in enumerate(turns):
            if contender.name in skipped:
                continue
            app = f"peers-{contender.name}-{turn}"
            trial = Trial(place, contender, Place(place.kafka, app, place.directory / app, base / "peers"), work)
            try:
                runs.append(trial.run(asked.limits))
                out.print(_line(runs[-1]))
            except SetupError as error:
                if contender.name.startswith(OWN):
                    raise
                skipped[contender.name] = f"failed in turn {turn + 1}: {error}"
                out.print(f"{contender.name}: {skipped[contender.name]}")
    return runs


def _line(run: Run) -> str:
    """Say what a run gave, as soon as it has."""
    cpu, broker = (seconds / run.measured * 1e6 for seconds in (run.cpu_seconds, run.broker_cpu_seconds))
    rate = run.measured / run.seconds if run.seconds else 0.0
    judged = "cut off" if run.verdict is None else str(run.verdict)
    kills = f", {run.kills} kills, back after {run.back_seconds} s, {run.exits} exits of its own" if run.kills else ""
    at = time.strftime("%H:%M:%S")
    figures = f"{run.measured:>7,} in {run.seconds:6.1f} s: {rate:7,.0f}/s, CPU {cpu:6.1f} µs, broker {broker:6.1f} µs"
    return f"{at} {run.contender:14} {figures}, {judged}{kills}"


def _show(out: Console, result: Result) -> None:
    table = Table(*COLUMNS)
    for line in lines(result.rows):
        table.add_row(*line)
    out.print(table)
    for run in (*result.runs, *result.killed):
        for example in run.verdict.examples if run.verdict else ():
            out.print(f"{run.contender}: {example}")
    for target in result.targets:
        out.print(target)
    out.print("this engine's answers: ALL RIGHT" if result.held else "this engine's answers: NOT ALL RIGHT")


def report(result: Result, arguments: str) -> str:
    """Give the page that is kept of a comparison."""
    told = "".join(f"- {target}\n" for target in result.targets)
    lines = (
        f"of up to {result.lines_max} lines" if result.work == WORKS[0] else "of the grocer's, 9.4 lines on average,"
    )
    return (
        f"# {TITLES[result.work]}, side by side\n\n"
        f"`python -m loadtest peers {arguments}`, {time.strftime('%Y-%m-%d')}, {result.machine}, the broker on the "
        f"same machine: {result.orders:,} orders {lines} in {PARTITIONS} partitions, {result.rounds} interleaved "
        f"rounds, a commit every {COMMIT_SECONDS * 1000:g} ms. Medians (lowest to highest). Ratios are to the "
        "reference (the row of 1.00) in the same round, by rate and by CPU an order (user and system, of the peer's "
        "process). After kills: what an independent model found after SIGKILLs in the middle of a smaller run.\n\n"
        f"{markdown(result.rows)}\n{told}"
    )
