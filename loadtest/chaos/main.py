"""`python -m loadtest chaos`: real orders under faults of every kind, and the proof of the outcome.

The same seed gives the same schedule and the same load. The exit status is 0 only if every check held and every kind
of fault really hit: a run whose faults did not hit has proved nothing, and is invalid.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from loadtest.chaos.evidence import keep_evidence
from loadtest.chaos.ground import Ground, prepared
from loadtest.chaos.kinds import KINDS
from loadtest.chaos.load_plan import Load, Wish, make_load
from loadtest.chaos.mutants import VARIABLE as MUTANT_VARIABLE
from loadtest.chaos.mutants import find
from loadtest.chaos.outcome import Outcome, judge, setup
from loadtest.chaos.rig import Shape
from loadtest.chaos.schedule import PROFILES, count_kinds, draw_schedule, length_seconds
from loadtest.chaos.showing import show_outcome
from loadtest.chaos.trial import Work, carry_out
from loadtest.chaos.verdict import is_broken, read_verdict
from loadtest.chaos.worker_faults import WORKERS
from loadtest.deployment import Site, site
from loadtest.options import INTERRUPTED, at_least, writable, write_json
from loadtest.showing import console
from pipeline.errors import SettingsError
from pipeline.settings import SERVICES, VARIABLES, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from loadtest.chaos.fault import Kind, Planned

SESSION_SECONDS = 3
COMMIT_SECONDS = (0.05, 0.5)
PAGE_ENTRIES = (16, 64)
"""Small pages: with the product's own size a run of minutes would hardly fill one."""
LOAD_MARGIN_SHARE = 0.25
"""Of the schedule so much longer the base load lasts: on a busy machine faults come later than planned."""
EVIDENCE = Path(".run/evidence")


def main(arguments: list[str]) -> int:
    """Run. Gives 0 only if all held and every kind of fault hit."""
    options = read_options(arguments)
    out = console()
    try:
        with interruptible():
            outcome = run(out, options)
    except KeyboardInterrupt:
        out.print("interrupted: everything is stopped")
        return INTERRUPTED
    show_outcome(out, outcome)
    if options.json:
        write_json(options.json, outcome)
    return 0 if outcome.held else 1


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Read what a run is asked for, and check what can be checked before it. Raises SettingsError."""
    options = _parser().parse_args(arguments)
    _check(options)
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="draws schedule and load (%(default)s)")
    parser.add_argument("--profile", choices=tuple(PROFILES), default="short", help="how dense (%(default)s)")
    parser.add_argument("--faults", type=int, help="how many faults; the profile's if not given")
    parser.add_argument("--orders", type=int, help="how many orders; the profile's if not given")
    parser.add_argument("--only", default="", help="these kinds of faults alone, separated by commas")
    parser.add_argument("--mutant", default="", help="a mutant of the engine: the run is to find it out")
    parser.add_argument("--stop-when-broken", action="store_true", help="end as soon as a check does not hold")
    parser.add_argument("--json", type=Path, help="write the outcome to this file as data")
    parser.add_argument(
        "--evidence", type=Path, default=EVIDENCE, help="where a broken run leaves logs and data (%(default)s)"
    )
    parser.add_argument("--keep", action="store_true", help="leave servers and data as they are in the end")
    return parser


def _check(options: argparse.Namespace) -> None:
    at_least(1, faults=options.faults, orders=options.orders)
    writable(json=options.json)
    chosen(options.only)
    if options.mutant:
        find(options.mutant)


@contextmanager
def interruptible() -> Iterator[None]:
    """Have Ctrl-C and SIGTERM end a block of code once, in good order: what comes while it unwinds is not heard."""

    def interrupt(_number: int, _frame: object) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known)


def run(out: Console, options: argparse.Namespace) -> Outcome:
    """Run on servers of its own. Raises SetupError, SettingsError."""
    with prepared(has_disk=not options.keep) as ground:
        return _run(out, options, ground)


def _run(out: Console, options: argparse.Namespace, ground: Ground) -> Outcome:
    plan = draw(options, ground)
    with site(plan.load.pools, keep=options.keep) as place:
        ground.stand(place.run_dir)
        outcome = carry_through(out, options, plan, place, ground)
        if not outcome.held and not options.keep:
            name = f"{options.profile}-{options.seed}"
            out.print(keep_evidence(options.evidence, name, place.run_dir, ground), markup=False)
    if options.keep:
        stop = f"HOLDFAST_RUN_DIR={place.run_dir} python -m pipeline services down && rm -r {place.run_dir}"
        out.print(f"kept; to stop the servers and remove the data: {stop}")
    return outcome


class Plan(NamedTuple):
    """A run before it begins."""

    kinds: Mapping[str, Kind]
    planned: Sequence[Planned]
    load: Load
    began: float
    """Monotonic."""


def draw(options: argparse.Namespace, ground: Ground) -> Plan:
    """Draw what the options ask for. Raises SettingsError."""
    began, profile = time.monotonic(), PROFILES[options.profile]
    kinds = {kind.name: kind for kind in chosen(options.only) if kind.name not in ground.absent}
    planned = draw_schedule(profile, options.seed, options.faults or profile.faults, list(kinds.values()))
    load = _load(options, planned, length_seconds(planned, profile) * (1 + LOAD_MARGIN_SHARE))
    return Plan(kinds, planned, load, began)


def carry_through(out: Console, options: argparse.Namespace, plan: Plan, place: Site, ground: Ground) -> Outcome:
    """Carry a plan out on servers that are up and hold nothing yet, and judge what became of it. Raises SetupError."""
    kinds, planned, load, began = plan
    for name, why in ground.absent.items():
        out.print(f"without {name}: {why}", markup=False)
    made = setup(options, load, planned)
    out.print(f"plan: {made.faults} faults of {len(kinds)} kinds over {load.orders:,} orders, seed {options.seed}")
    out.print(f"servers: Kafka {place.settings.kafka}, ClickHouse {place.settings.clickhouse}, in {place.run_dir}")
    shape = Shape(WORKERS, _environ(options.seed, options.mutant), ground.by_slot(WORKERS), ground.spawn)
    watcher = is_broken if options.stop_when_broken else None
    course = carry_out(out, place, Work(planned, kinds, load, shape, ground, watcher))
    out.print("reading all topics afresh")
    verdict = read_verdict(_as_workers_see(place, shape), replayed=not course.stopped_early)
    return judge(made, course, verdict, time.monotonic() - began)


def chosen(names: str) -> Sequence[Kind]:
    """Give the kinds whose names begin with one of those given; all where none is. Raises SettingsError."""
    wanted = tuple(name.strip() for name in names.split(",") if name.strip())
    for name in wanted:
        if not any(kind.name.startswith(name) for kind in KINDS):
            message = f"--only: no kind of fault begins with {name!r}; there are {', '.join(k.name for k in KINDS)}"
            raise SettingsError(message)
    return [kind for kind in KINDS if not wanted or kind.name.startswith(wanted)]


def _as_workers_see(place: Site, shape: Shape) -> Site:
    """Give the site with the settings that its workers have: the replay fills pages as they do."""
    return place._replace(settings=read_settings({**place.environ, **shape.environ}, needs=SERVICES))


def _load(options: argparse.Namespace, planned: Sequence[Planned], seconds: float) -> Load:
    counts = count_kinds(planned)
    orders = options.orders or PROFILES[options.profile].orders
    now_ms = time.time_ns() // 1_000_000
    partitions = read_settings(os.environ).partitions
    return make_load(Wish(orders, seconds, counts["burst"], counts["hostile"], options.seed, partitions), now_ms)


def _environ(seed: int, mutant: str) -> Mapping[str, str]:
    """Give the settings of the rig's processes: a short session, and what the seed draws."""
    chance = Random(seed)  # noqa: S311 - a choice to repeat, not a secret
    return {
        VARIABLES["session_timeout_seconds"]: str(SESSION_SECONDS),
        VARIABLES["commit_interval_seconds"]: f"{chance.uniform(*COMMIT_SECONDS):.3f}",
        VARIABLES["page_entries"]: str(chance.randint(*PAGE_ENTRIES)),
        **({MUTANT_VARIABLE: mutant} if mutant else {}),
    }
