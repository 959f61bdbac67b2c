"""The whole box at work: CPU time per order by process, while a warm deployment works off orders that came at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from loadtest.costs.threads import thread_seconds
from loadtest.cpu import CpuMeter
from loadtest.deployment import deployed, provision, site
from loadtest.generator import Outlet, fill, replay
from loadtest.scenario import Scenario
from loadtest.watching import Watch
from pipeline.errors import SetupError
from pipeline.settings import VARIABLES
from pipeline.topics import STOCK_COMMANDS

if TYPE_CHECKING:
    from rich.console import Console

    from loadtest.plan import Plan
    from loadtest.scenario import TimedRecord

WARM_SHARE = 0.2
"""Of the records: sent before the clock starts, so that no start-up and no cold compiler is counted."""
NO_REPORTS = "--report-interval-seconds 86400"
WAIT_SECONDS = 300.0
POLL_SECONDS = 1.0
ARRIVE_SHARE = 0.97
"""Of the keys that are sent so many are orders at least: the rest is hostile, or news of an order that never came."""
QUIET_SECONDS = 3.0


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment took for its orders."""

    orders: int
    workers: int
    seconds: float
    """Until the last event was in ClickHouse."""
    cpu_microseconds: dict[str, float]
    """Per order, by process."""
    thread_microseconds: dict[str, dict[str, float]]
    """Per order, by process and kind of thread; a thread that has ended is missing."""

    @property
    def worker_microseconds(self) -> float:
        """Sum up the workers."""
        return sum(used for name, used in self.cpu_microseconds.items() if name.startswith("worker-"))


def measure_box(out: Console, plan: Plan, workers: int) -> Box:
    """Start all, warm it, measure. Parcels stay with their carrier. Raises SetupError."""
    records = plan.scenario.records
    warm = int(len(records) * WARM_SHARE)
    with site(plan.pools, keep=False) as plain:
        place = plain._replace(environ={**plain.environ, VARIABLES["sandbox_options"]: NO_REPORTS})
        provision(place)
        outlet = Outlet(place.settings.kafka, place.settings.kafka_config)
        fill(outlet, STOCK_COMMANDS.name, plan.feed_records())
        with deployed(place, workers) as deployment:
            watch, meter = Watch(out, deployment), CpuMeter(place)
            _send(outlet, records[:warm])
            _rest(watch, meter, records[:warm])
            began, begin = time.monotonic(), watch.look().counts
            meter.start(deployment, from_birth=False)
            threads = {name: thread_seconds(pid) for name, pid in meter.pids().items()}
            _send(outlet, records[warm:])
            ended = _rest(watch, meter, records)
            for name, pid in meter.pids().items():
                threads[name] = {kind: used - threads[name][kind] for kind, used in thread_seconds(pid).items()}
            orders = watch.look().counts.received - begin.received
    if not orders:
        message = "no order arrived: see the logs of the run directory"
        raise SetupError(message)
    return Box(
        orders=orders,
        workers=workers,
        seconds=ended - began,
        cpu_microseconds={name: used / orders * 1e6 for name, used in meter.seconds().items()},
        thread_microseconds={
            name: {kind: used / orders * 1e6 for kind, used in kinds.items()} for name, kinds in threads.items()
        },
    )


def _send(outlet: Outlet, records: list[TimedRecord]) -> None:
    replay(Scenario(records, 1.0), outlet, lambda _: None, at_once=True)


def _rest(watch: Watch, meter: CpuMeter, sent: list[TimedRecord]) -> float:
    """Wait until nothing changes any more; CPU times are read when that began. Gives that time. Raises SetupError."""
    deadline, events, since = time.monotonic() + WAIT_SECONDS, -1, time.monotonic()
    expected = len({record.key for record in sent}) * ARRIVE_SHARE
    while True:
        moment = watch.look()
        if moment.waiting or moment.counts.events != events or moment.counts.received < expected:
            events, since = moment.counts.events, moment.at
            meter.read(deciding=True)
        elif moment.at - since > QUIET_SECONDS:
            return since
        if moment.at > deadline:
            message = f"the deployment is not at rest after {WAIT_SECONDS:g} s"
            raise SetupError(message)
        time.sleep(POLL_SECONDS)
