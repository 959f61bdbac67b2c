"""`python -m loadtest profile NAME`: send a load in an open loop, and report what came of it.

Orders are sent at their intended times, whatever the pipeline does meanwhile, and latency counts from the intended
time. Exit status: 0 all is well; 1 something is not as it must be, a target of the whole profile is missed, or a figure
is worse than the baseline's; 3 the run is void, because the generator itself was late.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace
from rich.markup import escape
from rich.table import Table as RichTable

from loadtest.deployment import site
from loadtest.options import INTERRUPTED, at_least, writable
from loadtest.profiles import load, replay, shape, tables
from loadtest.profiles.baseline import check_same_load, compare
from loadtest.profiles.judging import check_memory, judge_all, read_times
from loadtest.profiles.measuring import measure
from loadtest.profiles.page import page
from loadtest.profiles.recording import read_recording
from loadtest.profiles.result import Setup, read_result, write_result
from loadtest.profiles.running import Work, run
from loadtest.profiles.shape import Phase, Profile
from loadtest.showing import console
from pipeline.errors import SettingsError
from pipeline.services.java import OPTIMISES_VARIABLE
from pipeline.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from loadtest.plan import Plan
    from loadtest.profiles.baseline import Compared
    from loadtest.profiles.result import Result

VOID = 3
SCALE_MAX, SPEED_MAX = 1000.0, 1000.0


def main(arguments: list[str]) -> int:
    """Run a profile. Gives the exit status. Raises SettingsError, SetupError."""
    options = _parser().parse_args(arguments)
    at_least(1, workers=options.workers)
    writable(json=options.json, html=options.html)
    _go_together(options)
    profile, plan = prepare(options)
    setup = _setup(options, profile)
    before = read_result(options.baseline) if options.baseline else None
    if before:
        check_same_load(setup, before)
    out = console()
    try:
        result = _carry_out(out, setup, Work(profile, plan, options.workers), keep=options.keep)
    except KeyboardInterrupt:
        out.print("interrupted: everything is stopped")
        return INTERRUPTED
    compared = compare(result, before, options.tolerance) if before and not result.void else []
    _show(out, result, compared)
    json, html = _files(options)
    write_result(result, json)
    html.write_text(page(result, compared))
    out.print(f"report: {html}\nas data: {json}", markup=False)
    return status(result, compared)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest profile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", metavar="NAME", help=f"{', '.join(shape.names())}, or a .toml file of your own")
    parser.add_argument("--scale", type=_above_zero(SCALE_MAX), default=1.0, help="multiply all rates (%(default)g)")
    parser.add_argument("--seconds", type=_above_zero(shape.SECONDS_MAX), help="let the load take so long instead")
    parser.add_argument("--late-p99-ms", type=_above_zero(1e6), help="the generator's limit instead of the profile's")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="send a recording instead of the profile's orders")
    parser.add_argument("--speed", type=_above_zero(SPEED_MAX), help="how much faster than recorded")
    parser.add_argument("--workers", type=int, default=2, help="worker processes (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="chooses orders, ways and stock (%(default)s)")
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE", help="a result to compare with (--json of another run)"
    )
    parser.add_argument(
        "--tolerance", type=_above_zero(1e6), help="how much worse a figure may be, of 1, for all kinds"
    )
    parser.add_argument("--unjudged", action="store_true", help="without the independent check, which wants memory")
    parser.add_argument("--keep", action="store_true", help="leave servers and data as they are in the end")
    parser.add_argument("--json", type=Path, help="write the result here as data (else beside the run directory)")
    parser.add_argument("--html", type=Path, help="write the report here (else beside the run directory)")
    return parser


def _above_zero(most: float) -> Callable[[str], float]:
    """Give what reads a number above 0 and up to `most`."""

    def read(text: str) -> float:
        number = float(text)
        if not 0 < number <= most:
            message = f"{text} is not above 0 and up to {most:g}"
            raise argparse.ArgumentTypeError(message)
        return number

    read.__name__ = "number"
    return read


def _go_together(options: argparse.Namespace) -> None:
    """Check what no single option can say. Raises SettingsError."""
    wrong = ""
    if options.replay and (options.scale != 1.0 or options.seconds):
        wrong = "--replay: a recording has its own size: use --speed, and not --scale or --seconds"
    elif options.speed and not options.replay:
        wrong = "--speed: it is of a recording: give one with --replay, or use --scale"
    elif options.tolerance and not options.baseline:
        wrong = "--tolerance: there is nothing to compare with: give a --baseline"
    if wrong:
        raise SettingsError(wrong)


def prepare(options: argparse.Namespace) -> tuple[Profile, Plan]:
    """Read the profile, or the recording, in its size, and make the plan. Raises SettingsError, SetupError."""
    path = shape.find(options.name)
    profile = shape.read(path)
    begin_ms = time.time_ns() // 1_000_000
    if options.late_p99_ms:
        profile = replace(profile, late_p99_ms_max=options.late_p99_ms)
    if options.replay is None:
        profile = profile.sized(options.scale, options.seconds)
        _check(profile, f"{path}, with --scale and --seconds")
        if not options.unjudged:
            check_memory(int(sum(phase.orders for phase in profile.phases)))
        return profile, load.make_plan(profile, options.seed, begin_ms)
    plan = replay.make_plan(read_recording(options.replay, options.speed or 1.0), options.seed, begin_ms)
    seconds = max(1.0, plan.scenario.seconds)
    if not options.unjudged:
        check_memory(plan.orders)
    phase = Phase(name="replay", seconds=seconds, per_second=plan.orders / seconds)
    profile = replace(profile, phases=(phase,))
    _check(profile, f"{path}, with --replay {options.replay}")
    return profile, plan


def _check(profile: Profile, source: str) -> None:
    try:
        shape.check(profile)
    except SettingsError as error:
        message = f"{source}: {error}"
        raise SettingsError(message) from error


def _setup(options: argparse.Namespace, profile: Profile) -> Setup:
    return Setup(
        profile=shape.find(options.name).stem,
        says=profile.says,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=options.seed,
        scale=options.scale,
        seconds=profile.seconds,
        workers=options.workers,
        replay=f"{options.replay.name} at speed {options.speed or 1:g}" if options.replay else "",
        whole=options.scale == 1.0 and not options.seconds and options.replay is None,
        judged=not options.unjudged,
        machine=f"{os.cpu_count()} cores, {platform.platform(terse=True)}, Python {platform.python_version()}",
    )


def _carry_out(out: Console, setup: Setup, work: Work, *, keep: bool) -> Result:
    profile, plan = work.profile, work.plan
    records = len(plan.scenario.records)
    out.print(
        f"{setup.profile}: {profile.says}; {records:,} records of {plan.orders:,} orders in {profile.seconds:g} s"
    )
    if profile.warm_seconds:
        os.environ.setdefault(OPTIMISES_VARIABLE, "1")
    with site(plan.pools, keep=keep) as place:
        course = run(out, place, work)
        out.print("reading all topics afresh")
        if keep:
            out.print(
                f"kept: {place.run_dir}; stop it with HOLDFAST_RUN_DIR={place.run_dir} python -m pipeline services down"
            )
        judged = judge_all(place, recorded=bool(setup.replay)) if setup.judged else read_times(place)
        return measure(setup, profile, course, judged)


def _files(options: argparse.Namespace) -> tuple[Path, Path]:
    """Say where the result and the report go."""
    folder = read_settings(os.environ).run_dir / "reports"
    stem = f"{shape.find(options.name).stem}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    if not (options.json and options.html):
        folder.mkdir(parents=True, exist_ok=True)
    return options.json or folder / f"{stem}.json", options.html or folder / f"{stem}.html"


def _show(out: Console, result: Result, compared: list[Compared]) -> None:
    shown = {
        "Answers": tables.answers(result),
        "Latency by phase": tables.spells(result.phases),
        "Latency by minute": tables.spells(result.minutes),
        "Processes": tables.processes(result),
        "Outcomes": tables.outcomes(result),
        "Verdict of the independent check": tables.findings(result),
    }
    if compared:
        shown["Beside the baseline"] = tables.baseline(compared)
    for title, table in shown.items():
        rich = RichTable(title=title)
        for place, name in enumerate(table.columns):
            rich.add_column(name, justify="right" if table.rows and table.rows[0][place].is_number else "left")
        for cells in table.rows:
            rich.add_row(*(escape(cell.text) for cell in cells))
        out.print(rich)
    for line in result.wrong:
        out.print(f"NOT AS IT MUST BE: {line}", markup=False)
    for row in compared:
        if row.is_worse:
            out.print(f"WORSE THAN THE BASELINE: {row.name}", markup=False)
    if result.void:
        out.print(f"VOID: {result.void}", markup=False)


def status(result: Result, compared: list[Compared]) -> int:
    """Give the exit status. That a run is void counts for more than what it measured."""
    if result.void:
        return VOID
    return 1 if result.wrong or any(row.is_worse for row in compared) else 0
