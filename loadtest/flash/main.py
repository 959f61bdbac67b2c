"""`python -m loadtest flash`: thousands of buyers want the units of a flash sale at once, and a worker is killed.

The sale's units come to it by a transfer. The worker that decides the sale is killed with SIGKILL when half of the
units are held. When all is decided, a tick closes the sale; then one order wants all that must be in stock again, and
another one unit more. With fewer `--buyers` than `--units`, what is left goes back.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from loadtest.deployment import Site, deployed, provision, site
from loadtest.flash.judging import accepted, checks, returned_units
from loadtest.flash.plan import POOL, SHOP, Sale, Wish, plan_sale
from loadtest.generator import Outlet, replay
from loadtest.killing import Kill, Killer
from loadtest.latency import Latency, latencies
from loadtest.lateness import SendReport
from loadtest.options import at_least, rate, share, writable, write_json
from loadtest.oracle.checks import Finding, all_held, judge
from loadtest.oracle.verdict import check_all, read_history
from loadtest.scenario import write_scenario
from loadtest.scraping import deciding
from loadtest.seeding import seed_stock
from loadtest.sending import Sender, sending
from loadtest.showing import console, show_findings, show_latencies
from loadtest.watching import Moment, Watch
from pipeline.desk import clock
from pipeline.desk.sending import Sender as CommandSender

if TYPE_CHECKING:
    from rich.console import Console

    from loadtest.deployment import Deployment

LOOK_SECONDS = 0.05
SHOW_SECONDS = 1.0
SETTLE_SECONDS = 90.0
SETTLE_SECONDS_PER_BUYER = 0.01
INTERRUPTED = 130


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How the sale went: `settled` if it came to rest in time, both times, `drained` if all processes ended well."""

    sent: SendReport
    kill: Kill | None
    settled: bool
    drained: bool


class FlashResult(msgspec.Struct, frozen=True, kw_only=True):
    """All that a sale shows, as data."""

    held: bool
    buyers: int
    units: int
    orders: int
    accepted: int
    refused: int
    in_review: int
    returned: int
    way: Way
    latency: list[Latency]
    findings: list[Finding]
    seconds: float


def main(arguments: list[str]) -> int:
    """Run a sale. Gives 0 only if every check holds."""
    parser = argparse.ArgumentParser(prog="python -m loadtest flash", description=__doc__)
    parser.add_argument("--buyers", type=int, default=20_000, help="who want a unit each (%(default)s)")
    parser.add_argument("--units", type=int, default=5_000, help="that the sale has (%(default)s)")
    parser.add_argument("--rate", type=rate, default=5_000.0, help="buyers a second (%(default)g)")
    parser.add_argument("--resubmitted-share", type=share, default=0.1, help="whose shop sends twice (%(default)g)")
    parser.add_argument("--again-share", type=share, default=0.05, help="who order twice (%(default)g)")
    parser.add_argument("--workers", type=int, default=2, help="worker processes (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="chooses who does what (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the result to this file as data")
    parser.add_argument("--keep", action="store_true", help="leave servers and data as they are in the end")
    options = parser.parse_args(arguments)
    at_least(1, buyers=options.buyers, units=options.units)
    at_least(1, workers=options.workers)
    writable(json=options.json)
    try:
        result = run(console(), options)
    except KeyboardInterrupt:
        return INTERRUPTED
    if options.json:
        write_json(options.json, result)
    return 0 if result.held else 1


def run(out: Console, options: argparse.Namespace) -> FlashResult:
    """Run a sale on servers of its own, or on those that the environment names. Raises SetupError."""
    began = time.monotonic()
    shares = (options.resubmitted_share, options.again_share)
    sale = plan_sale(Wish(options.buyers, options.units, options.rate, *shares, options.seed), clock.now_ms())
    out.print(f"plan: {options.buyers:,} buyers, {len(sale.buyer_of):,} orders, {options.units:,} units")
    with site({SHOP: POOL}, keep=options.keep) as place:
        way = _sell(out, place, sale, options.workers)
        out.print("reading all topics afresh")
        history = read_history(place.sources)
        findings = [*(judge(check, history) for check in checks(sale)), *check_all(history)]
        killed = way.kill is not None and way.kill.back_after_seconds is not None
        result = FlashResult(
            held=all_held(findings) and way.settled and way.drained and not way.sent.failed and killed,
            buyers=options.buyers,
            units=options.units,
            orders=len(sale.buyer_of),
            accepted=len(accepted(sale, history)),
            refused=sum(1 for fact in history.named("HoldRefused") if fact.order_id in sale.buyer_of),
            in_review=len({fact.order_id for fact in history.named("OrderHeldForReview")}),
            returned=returned_units(history),
            way=way,
            latency=latencies(history),
            findings=findings,
            seconds=time.monotonic() - began,
        )
        if options.keep:
            out.print(f"kept: {place.run_dir}")
    _show(out, result)
    return result


def _sell(out: Console, place: Site, sale: Sale, workers: int) -> Way:
    """Hold the sale on a deployment, and drain it."""
    provision(place)
    scenario = place.run_dir / "scenario.msgpack"
    write_scenario(sale.scenario, scenario)
    allowed = SETTLE_SECONDS + SETTLE_SECONDS_PER_BUYER * sale.wish.buyers
    with deployed(place, workers) as deployment:
        watch = Watch(out, deployment)
        with watch.shown():
            _stock(watch, place, sale)
            with sending(place, scenario) as sender:
                killer = _kill_half_way(watch, deployment, sender, sale)
                sent = sender.report()
            settled = watch.wait(lambda: sent.records, lambda moment: _is_over(watch, killer, moment), allowed)
            settled &= _close(watch, place, sale)
        drained = deployment.stop() == 0
    return Way(sent=sent, kill=killer.kill if killer else None, settled=settled, drained=drained)


def _stock(watch: Watch, place: Site, sale: Sale) -> None:
    """Fill the shelves: a shop sells what it has."""
    feed = [(POOL.encode(), msgspec.json.encode(command)) for command in sale.feed()]
    seed_stock(watch, place, feed, sum(b'"ReceiveStock"' in value for _, value in feed))


def _kill_half_way(watch: Watch, deployment: Deployment, sender: Sender, sale: Sale) -> Killer | None:
    """Watch the sale; kill the worker that decides it when half of what it will accept is held."""
    shown, killer = 0.0, None
    while sender.running or killer is None:
        placed = deciding(deployment.processes(), "HoldPlaced")
        if killer is None and placed and placed[1] >= sale.accepted / 2:
            killer = Killer(deployment, placed[0])
            kill = killer.strike()
            watch.say(f"killed {placed[0]}, pid {kill.pid}, after {placed[1]} holds" if kill else "no worker to kill")
        if time.monotonic() - shown >= SHOW_SECONDS:
            shown = time.monotonic()
            moment = watch.show(sender.last.sent)
            if not sender.running and watch.at_rest(moment):
                break
        time.sleep(LOOK_SECONDS)
    return killer


def _is_over(watch: Watch, killer: Killer | None, moment: Moment) -> bool:
    if killer is not None and (back := killer.look()) is not None:
        watch.say(f"{back.worker} is back: first commit {back.back_after_seconds:.1f} s after the kill")
    return not (killer and killer.waiting) and watch.at_rest(moment)


def _close(watch: Watch, place: Site, sale: Sale) -> bool:
    """Say what time it is, then order what must be in stock again. Gives whether that came to rest."""
    with CommandSender(place.settings) as sender:
        clock.tick(sender, clock.now_ms())
    before = watch.look().counts
    outlet = Outlet(place.settings.kafka, place.settings.kafka_config)
    sent = replay(sale.probe(), outlet, lambda _: None, at_once=True)
    outlet.close()

    def over(moment: Moment) -> bool:
        return moment.counts.received >= before.received + sent.records and watch.at_rest(moment)

    return watch.wait(lambda: sent.records, over, SETTLE_SECONDS)


def _show(out: Console, result: FlashResult) -> None:
    show_latencies(out, result.latency, result.way.sent)
    show_findings(out, result.findings)
    kill = result.way.kill
    back = kill.back_after_seconds if kill else None
    out.print(
        f"{result.buyers:,} buyers, {result.orders:,} orders, {result.units:,} units: accepted {result.accepted:,}, "
        f"refused {result.refused:,}, in review {result.in_review:,}; back in stock {result.returned:,}"
    )
    out.print(f"killed and back: {f'{kill.worker} after {back:.1f} s' if kill and back else 'NO'}")
    out.print(f"came to rest: {result.way.settled}, drained: {result.way.drained}, sent: {result.way.sent.failed == 0}")
    out.print(f"total: {result.seconds:.0f} s; {'ALL HOLD' if result.held else 'NOT ALL HOLD'}")
