"""`python -m loadtest drain`: how fast all stages together work off a topic that is full when they start.

The topics are filled first, then the deployment starts. What is measured lies between the first order's first committed
event and the last decision of the last stage about any order (its parcel is tracked, or it is refused, in review or
cancelled), by the broker's clock; servers, sink, carrier and gateway run on the same machine.
"""

from __future__ import annotations

import argparse
import os
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from loadtest.chaos.cpu import brake
from loadtest.cpu import CpuMeter
from loadtest.deployment import Site, deployed, provision, site
from loadtest.generator import Outlet, fill, replay
from loadtest.latency import decided_within
from loadtest.options import at_least, writable, write_json
from loadtest.oracle.checks import Finding, all_held
from loadtest.oracle.verdict import check_all, read_history
from loadtest.plan import Plan, add_options, make_plan
from loadtest.scenario import Scenario
from loadtest.showing import console, show_findings
from loadtest.watching import Moment, Watch
from pipeline.desk.clock import now_ms
from pipeline.services.java import OPTIMISES_VARIABLE
from pipeline.settings import VARIABLES
from pipeline.topics import STOCK_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from loadtest.deployment import Deployment

DRAIN_SECONDS = 120.0
DRAIN_SECONDS_PER_ORDER = 0.01
REPORT_INTERVAL_SECONDS = 15.0
"""Between two reports of a parcel's way. In a drain that takes longer, the parcels' way is part of what is measured."""
BRAKE_MICROSECONDS = 20_000
"""The period of a worker's quota: short beside the time of a commit, which waits for it."""
CORES_MIN = 0.05


class DrainResult(msgspec.Struct, frozen=True, kw_only=True):
    """A measured drain. CPU seconds are of the drain alone; by process, the servers' too."""

    held: bool
    orders: int
    warm_up: int
    """Orders that the servers had worked off before."""
    records: int
    """Of both."""
    workers: int
    worker_cores: float | None
    """The share of one core that each worker was held to; None if it was free."""
    decided: int
    seconds: float
    orders_per_second: float
    cpu_seconds: dict[str, float]
    cpu_microseconds_per_order: float
    """Of the workers alone."""
    findings: list[Finding]


def main(arguments: list[str]) -> int:
    """Measure. Gives 0 only if every check holds."""
    parser = argparse.ArgumentParser(prog="python -m loadtest drain", description=__doc__)
    add_options(parser)
    parser.add_argument("--workers", type=int, default=2, help="worker processes (%(default)s)")
    parser.add_argument(
        "--warm-up",
        type=int,
        default=0,
        metavar="ORDERS",
        help="so many orders before these, by other workers: the servers are warm then, the broker compiled as in use",
    )
    parser.add_argument(
        "--report-interval", type=float, default=REPORT_INTERVAL_SECONDS, help="seconds between a parcel's reports"
    )
    parser.add_argument(
        "--worker-cores",
        type=cores,
        metavar="SHARE",
        help="hold each worker to this share of one core, so that cores are left for more workers",
    )
    parser.add_argument("--json", type=Path, help="write the result to this file as data")
    options = parser.parse_args(arguments)
    at_least(0, warm_up=options.warm_up)
    at_least(1, orders=options.orders)
    writable(json=options.json)
    out = console()
    result = measure(out, options)
    show_findings(out, result.findings)
    _show(out, result)
    if options.json:
        write_json(options.json, result)
    return 0 if result.held else 1


def measure(out: Console, options: argparse.Namespace) -> DrainResult:
    """Fill, start, measure, check. Raises SetupError."""
    orders = options.warm_up + options.orders
    plan = make_plan(argparse.Namespace(**{**vars(options), "orders": orders}))
    warm = len(plan.scenario.records) * options.warm_up // orders
    if warm:
        os.environ.setdefault(OPTIMISES_VARIABLE, "1")
    with site(plan.pools, keep=False) as plain:
        sandbox = f"--report-interval-seconds {options.report_interval:g}"
        place = plain._replace(environ={**plain.environ, VARIABLES["sandbox_options"]: sandbox})
        provision(place)
        outlet = Outlet(place.settings.kafka, place.settings.kafka_config)
        out.print(f"stock: {fill(outlet, STOCK_COMMANDS.name, plan.feed_records())} feeds")
        drained, since_ms, meter = True, 0, CpuMeter(place)
        if warm:
            drained = _drain(out, place, options, CpuMeter(place), _fill(out, outlet, plan, slice(warm)))
            since_ms = now_ms()
        drained = _drain(out, place, options, meter, _fill(out, outlet, plan, slice(warm, None))) and drained
        history = read_history(place.sources)
        findings = check_all(history)
    seconds, decided = decided_within(history, since_ms)
    cpu = meter.seconds()
    workers = sum(used for name, used in cpu.items() if name.startswith("worker-"))
    return DrainResult(
        held=all_held(findings) and drained,
        orders=options.orders,
        warm_up=options.warm_up,
        records=len(plan.scenario.records),
        workers=options.workers,
        worker_cores=options.worker_cores,
        decided=decided,
        seconds=seconds,
        orders_per_second=decided / seconds if seconds else 0.0,
        cpu_seconds=cpu,
        cpu_microseconds_per_order=workers / decided * 1e6 if decided else 0.0,
        findings=findings,
    )


def cores(text: str) -> float:
    """Read a share of one core."""
    found = float(text)
    if not CORES_MIN <= found <= 1:
        message = f"{text} is not between {CORES_MIN:g} and 1"
        raise argparse.ArgumentTypeError(message)
    return found


@contextmanager
def _held_back(out: Console, deployment: Deployment, cores: float | None) -> Iterator[None]:
    """Hold each worker to a share of one core for a block of code, and say whether that held it back."""
    pids = [found.pid for name, found in deployment.processes().items() if name.startswith("worker-")]
    brakes = [] if cores is None else [brake(pid, cores, BRAKE_MICROSECONDS) for pid in pids]
    try:
        yield
    finally:
        for held in brakes:
            out.print(held.release().evidence)


def _fill(out: Console, outlet: Outlet, plan: Plan, part: slice) -> int:
    """Fill the input topic with a part of the plan, before anybody reads it. Gives how many orders that is, about."""
    began, records = time.monotonic(), plan.scenario.records[part]
    replay(Scenario(records, plan.scenario.rate_per_second), outlet, lambda _: None, at_once=True)
    out.print(f"filled: {len(records):,} records in {time.monotonic() - began:.1f} s")
    return plan.orders * len(records) // len(plan.scenario.records)


def _drain(out: Console, place: Site, options: argparse.Namespace, meter: CpuMeter, orders: int) -> bool:
    """Start a deployment, and stop it when all parcels have arrived. Says whether both was in time."""
    with deployed(place, options.workers) as deployment, _held_back(out, deployment, options.worker_cores):
        watch = Watch(out, deployment)
        with watch.shown():
            meter.start(deployment)
            before = watch.look().counts.received
            over = partial(_is_over, watch, meter, before + orders // 2)
            settled = watch.wait(lambda: before + orders, over, DRAIN_SECONDS + DRAIN_SECONDS_PER_ORDER * orders)
        return deployment.stop() == 0 and settled


def _is_over(watch: Watch, meter: CpuMeter, begun: int, moment: Moment) -> bool:
    """Read the CPU until all is decided, and say whether the parcels have arrived.

    Workers that still divide the partitions see no order waiting: until so many are received, it is not the end.
    """
    meter.read(deciding=bool(moment.waiting) or moment.counts.received < begun)
    return watch.at_rest(moment)


def _show(out: Console, result: DrainResult) -> None:
    out.print(
        f"{result.decided:,} orders decided in {result.seconds:.2f} s: {result.orders_per_second:,.0f} orders/s "
        f"with {result.workers} workers"
    )
    for name, seconds in sorted(result.cpu_seconds.items(), key=lambda pair: -pair[1]):
        out.print(f"  {name:12} {seconds:7.2f} CPU s  {seconds / max(result.decided, 1) * 1e6:8.0f} µs an order")
    out.print(f"workers alone: {result.cpu_microseconds_per_order:,.0f} CPU µs an order")
    out.print("ALL HOLD" if result.held else "NOT ALL HOLD")
