"""Run a plan's load on a deployment of its own, and see it to its rest."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from loadtest.deployment import deployed, provision
from loadtest.profiles.faults import Faults
from loadtest.profiles.measuring import Course
from loadtest.profiles.sampling import Sampler
from loadtest.scenario import write_scenario
from loadtest.seeding import seed_stock
from loadtest.sending import sending
from loadtest.watching import Watch
from pipeline.settings import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from loadtest.deployment import Deployment, Site
    from loadtest.plan import Plan
    from loadtest.profiles.sampling import Sample
    from loadtest.profiles.shape import Profile
    from loadtest.sending import Sender
    from loadtest.watching import Moment

TICK_SECONDS = 0.05
SHOW_SECONDS = 5.0
SETTLE_SECONDS_MAX = 900.0
SETTLE_SECONDS_PER_ORDER = 0.01
STILL_SECONDS = 60.0
"""A run that is not at rest, and in which nothing has moved for so long and twice a parcel's time, hangs."""


class Work(NamedTuple):
    """What is to be run."""

    profile: Profile
    plan: Plan
    workers: int


def run(out: Console, plain: Site, work: Work) -> Course:
    """Run it. Raises SetupError."""
    profile = work.profile
    sandbox = (
        f"--report-interval-seconds {profile.report_interval_seconds:g} --pickup-seconds {profile.pickup_seconds:g}"
    )
    place = plain._replace(environ={**plain.environ, VARIABLES["sandbox_options"]: sandbox})
    provision(place)
    scenario = place.run_dir / "scenario.msgpack"
    write_scenario(work.plan.scenario, scenario)
    work.plan.scenario.records.clear()  # gigabytes in a long load; the generator has its own
    with deployed(place, work.workers) as deployment:
        watch = Watch(out, deployment)
        faults = Faults(profile.faults, deployment, watch.say)
        seed_stock(watch, place, work.plan.feed_records(), len(work.plan.deliveries))
        sampler = Sampler(deployment, profile.seconds)
        with sampler.running(), sending(place, scenario, "--linger-ms", str(profile.linger_ms)) as sender:
            sampler.sender = sender
            _attend(deployment, sampler, sender, faults, watch.say)
            sent = sender.report()
            watch.say(f"sent: {sent.records:,} records in {sent.seconds:.1f} s; waiting for rest")
            settled = _settle(watch, work, faults, sent.records)
        watch.say(f"at rest: {settled}; draining")
        drained = deployment.stop() == 0
    return Course(sent, faults.struck, sampler.samples, settled, drained)


def _attend(
    deployment: Deployment, sampler: Sampler, sender: Sender, faults: Faults, say: Callable[[str], None]
) -> None:
    """See a load through, without asking ClickHouse anything: that would be a load of its own."""
    began = shown = time.monotonic()
    has_begun = False
    while sender.running:
        deployment.check()
        now = time.monotonic()
        if not has_begun and sender.last.sent:
            has_begun, began = True, now
            faults.begin()
        if has_begun:
            faults.look()
        if now - shown >= SHOW_SECONDS and sampler.samples:
            shown = now
            say(f"{now - began:5.0f} s  {_line(sampler.samples[-1])}")
        time.sleep(TICK_SECONDS)


def _line(sample: Sample) -> str:
    waiting = " ".join(f"{stage} {records}" for stage, records in sample.waiting.items() if records)
    late_ms = (sample.late_seconds or 0.0) * 1000
    return f"sent {sample.sent:,}  late {late_ms:.0f} ms  waiting: {waiting or 'nothing'}"


def _settle(watch: Watch, work: Work, faults: Faults, sent: int) -> bool:
    """Wait for rest. Gives False when nothing moves for a while before it, or it takes too long."""
    still_seconds = STILL_SECONDS + 2 * work.profile.report_interval_seconds + work.profile.pickup_seconds
    moved = (0, time.monotonic())
    rested = False

    def is_over(moment: Moment) -> bool:
        nonlocal moved, rested
        faults.look()
        if moment.counts.events != moved[0]:
            moved = moment.counts.events, moment.at
        rested = not faults.waiting and watch.at_rest(moment)
        return rested or moment.at - moved[1] > still_seconds

    allowed = SETTLE_SECONDS_MAX + SETTLE_SECONDS_PER_ORDER * work.plan.orders
    return watch.wait(lambda: sent, is_over, allowed) and rested
