"""`python -m pipeline demo`: the main job on real orders, a worker killed half-way, and the proof of the outcome."""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from loadtest.counts import Node, read_funnel
from loadtest.deployment import Site, deployed, provision, site
from loadtest.killing import Kill, Killer
from loadtest.latency import Latency, latencies
from loadtest.lateness import SendReport
from loadtest.options import INTERRUPTED, writable, write_json
from loadtest.oracle.checks import Finding, all_held
from loadtest.oracle.outcomes import outcomes
from loadtest.oracle.verdict import check_all, read_history
from loadtest.plan import Plan, add_options, make_plan
from loadtest.promotion import mix
from loadtest.promotion.closing import close_promotion
from loadtest.promotion.conducting import Conductor, Desk
from loadtest.promotion.plan import plan_promotion
from loadtest.promotion.rules import activate_rules
from loadtest.promotion.shown import Effect, effects, show_effects
from loadtest.scenario import write_scenario
from loadtest.seeding import seed_stock
from loadtest.sending import Sender, sending
from loadtest.showing import console, show_findings, show_funnel, show_latencies, show_outcomes
from loadtest.watching import Moment, Watch
from pipeline.settings import read_settings

if TYPE_CHECKING:
    from rich.console import Console

    from loadtest.oracle.history import History
    from loadtest.promotion.making import Promotion

TICK_SECONDS = 0.05
SETTLE_SECONDS = 60.0
SETTLE_SECONDS_PER_ORDER = 0.01
"""Past SETTLE_SECONDS and this for every order, a run that is not at rest has failed: something hangs."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """How a replay went: `settled` if it came to rest in time, `drained` if all processes ended well when asked to."""

    sent: SendReport
    kill: Kill | None
    settled: bool
    drained: bool


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """All that a demo shows, as data."""

    held: bool
    orders: int
    workers: int
    replay: Replay
    outcomes: dict[str, int]
    funnel: list[Node]
    latency: list[Latency]
    effects: list[Effect]
    findings: list[Finding]
    seconds: float


def main(arguments: list[str]) -> int:
    """Run the demo. Gives 0 only if every check holds."""
    parser = argparse.ArgumentParser(prog="python -m pipeline demo", description=__doc__)
    add_options(parser)
    mix.add_options(parser)
    parser.add_argument("--workers", type=int, default=2, help="worker processes (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the result to this file as data")
    parser.add_argument("--keep", action="store_true", help="leave servers and data as they are in the end")
    options = parser.parse_args(arguments)
    writable(json=options.json)
    out = console()
    try:
        result = run(out, options)
    except KeyboardInterrupt:
        out.print("interrupted: everything is stopped")
        return INTERRUPTED
    if options.json:
        write_json(options.json, result)
    return 0 if result.held else 1


def run(out: Console, options: argparse.Namespace) -> Result:
    """Run the demo on servers of its own, or on those that the environment names. Raises SetupError."""
    began = time.monotonic()
    plan, promotion = _plan(options)
    out.print(f"plan: {plan.orders:,} orders in {len(plan.scenario.records):,} records, {len(plan.feed):,} stock feeds")
    with site(plan.pools, keep=options.keep) as place:
        out.print(f"servers: Kafka {place.settings.kafka}, ClickHouse {place.settings.clickhouse}, in {place.run_dir}")
        replay = _replay(out, place, Work(plan, promotion, options.workers))
        out.print("reading all topics afresh")
        history = read_history(place.sources)
        result = Result(
            held=False,
            orders=plan.orders,
            workers=options.workers,
            replay=replay,
            outcomes=_count_outcomes(history),
            funnel=read_funnel(place.settings.clickhouse),
            latency=latencies(history),
            effects=effects(history, promotion.kinds, promotion.planned) if promotion else [],
            findings=check_all(history),
            seconds=time.monotonic() - began,
        )
        result = msgspec.structs.replace(result, held=_held(result))
    _show(out, result)
    if options.keep:
        stop = f"HOLDFAST_RUN_DIR={place.run_dir} python -m pipeline services down && rm -r {place.run_dir}"
        out.print(f"kept; to stop the servers and remove the data: {stop}")
    return result


def _plan(options: argparse.Namespace) -> tuple[Plan, Promotion | None]:
    """Plan what is sent: a promotion, or the invoices of a file as they are."""
    if options.csv:
        return make_plan(options), None
    return plan_promotion(options, read_settings(os.environ).partitions)


class Course(NamedTuple):
    """What goes on while a replay is watched: a worker is killed, and a promotion takes its course."""

    watch: Watch
    killer: Killer
    conductor: Conductor | None

    def follow(self, moment: Moment) -> None:
        """Look for the killed worker's successor; while none is missing, take the promotion on."""
        back = self.killer.look()
        if back is not None:
            after = f"first commit {back.back_after_seconds:.1f} s after the kill"
            self.watch.say(f"{back.worker} is back as pid {back.successor_pid}: {after}")
        if self.conductor is not None and not self.killer.waiting:
            self.conductor.follow(moment)

    def is_over(self, moment: Moment) -> bool:
        """Say whether nothing is to come any more, and all is at rest."""
        self.follow(moment)
        is_played = self.conductor is None or self.conductor.is_over
        return is_played and not self.killer.waiting and self.watch.at_rest(moment)


class Work(NamedTuple):
    """What a demo does: what it sends, the promotion that this is (none: invoices), and with how many workers."""

    plan: Plan
    promotion: Promotion | None
    workers: int


def _replay(out: Console, place: Site, work: Work) -> Replay:
    """Replay the plan on a deployment, and drain it."""
    plan, promotion, workers = work
    provision(place)
    scenario = place.run_dir / "scenario.msgpack"
    write_scenario(plan.scenario, scenario)
    with deployed(place, workers) as deployment:
        running = " ".join(f"{name} (pid {process.pid})" for name, process in deployment.processes().items())
        out.print(f"up: {running}")
        watch = Watch(out, deployment)
        with watch.shown():
            seed_stock(watch, place, plan.feed_records(), len(plan.deliveries))
            watch.say(f"review rules: version {activate_rules(place.settings)}")
            desk = Desk(place.settings)
            conductor = Conductor(promotion, plan.scenario.records, desk) if promotion else None
            course = Course(watch, Killer(deployment), conductor)
            with sending(place, scenario) as sender:
                _watch_replay(course, sender, plan)
                sent = sender.report()
            allowed = SETTLE_SECONDS + SETTLE_SECONDS_PER_ORDER * plan.orders
            settled = watch.wait(lambda: sent.records, course.is_over, allowed)
            desk.close()
            if promotion and settled:
                close_promotion(place.settings, promotion.span.ends_ms)
                settled = watch.wait(lambda: sent.records, watch.at_rest, SETTLE_SECONDS)
        watch.say(f"at rest: {settled}{'' if settled else f' ({watch.on_the_way()})'}; draining")
        drained = deployment.stop() == 0
    return Replay(sent=sent, kill=course.killer.kill, settled=settled, drained=drained)


def _watch_replay(course: Course, sender: Sender, plan: Plan) -> None:
    """Watch the replay to its end; half-way, kill a worker."""
    shown, (watch, killer, _) = 0.0, course
    while sender.running:
        if killer.kill is None and sender.last.sent >= len(plan.scenario.records) / 2:
            kill = killer.strike()
            watch.say(f"killed {kill.worker}, pid {kill.pid}, with SIGKILL" if kill else "no worker to kill yet")
        if time.monotonic() - shown >= 1:
            shown = time.monotonic()
            course.follow(watch.show(sender.last.sent))
        time.sleep(TICK_SECONDS)


def _count_outcomes(history: History) -> dict[str, int]:
    """Count the orders by outcome; what has none, or several, is named so."""
    return dict(Counter("+".join(sorted(found)) or "none" for found in outcomes(history).values()))


def _held(result: Result) -> bool:
    """Say whether all is well: every check, a run that came to rest and drained, a worker that was really killed."""
    replay = result.replay
    killed = replay.kill is not None and replay.kill.back_after_seconds is not None
    shown = all(effect.is_shown for effect in result.effects)
    return (
        all_held(result.findings) and shown and replay.settled and replay.drained and not replay.sent.failed and killed
    )


def _show(out: Console, result: Result) -> None:
    show_funnel(out, result.funnel)
    show_outcomes(out, result.outcomes)
    if result.effects:
        show_effects(out, result.effects)
    show_latencies(out, result.latency, result.replay.sent)
    show_findings(out, result.findings)
    replay = result.replay
    for said, well in (
        ("the run came to rest in time", replay.settled),
        ("all processes drained on SIGTERM", replay.drained),
        ("every record was acknowledged by the broker", replay.sent.failed == 0),
        ("the promotion showed what it is to show", all(effect.is_shown for effect in result.effects)),
        ("a worker was killed and its successor committed", bool(replay.kill and replay.kill.back_after_seconds)),
    ):
        out.print(f"{said}: {'yes' if well else 'NO'}")
    out.print(f"total: {result.seconds:.0f} s; {'ALL HOLD' if result.held else 'NOT ALL HOLD'}")
