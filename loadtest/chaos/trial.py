"""One chaos run: servers, rig, load and faults; then rest, drain, and what all of it left behind."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from loadtest.chaos.child import Exit
from loadtest.chaos.ledger import Entry, Ledger
from loadtest.chaos.load_plan import write_load
from loadtest.chaos.load_words import Standing
from loadtest.chaos.loading import loading
from loadtest.chaos.rig import Refusal, Rig
from loadtest.chaos.runner import Runner
from loadtest.chaos.sampling import sampled
from loadtest.deployment import provision
from loadtest.promotion.closing import close_promotion
from loadtest.promotion.rules import activate_rules
from loadtest.seeding import seed_stock
from loadtest.watching import Moment, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console

    from loadtest.chaos.fault import Kind, Planned
    from loadtest.chaos.ground import Ground
    from loadtest.chaos.load_plan import Load
    from loadtest.chaos.rig import Shape
    from loadtest.deployment import Site

LOAD_FILE = "load.msgpack"
SETTLE_SECONDS_MAX = 600.0
STILL_SECONDS = 60.0
"""A run that is not at rest after the last fault, and in which nothing moved for so long, hangs."""
SHOW_SECONDS = 10.0
LOOK_SECONDS = 3.0
"""How often a run that is to end when it is broken is looked at."""


class Work(NamedTuple):
    """What a run is made of."""

    planned: Sequence[Planned]
    kinds: Mapping[str, Kind]
    load: Load
    shape: Shape
    ground: Ground
    is_broken: Callable[[Site], bool] | None = None
    """Asked now and then whether the run is broken already, and can end."""


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """How a run went. Times in seconds from the start of the load."""

    entries: list[Entry]
    exits: list[Exit]
    refusals: list[Refusal]
    standing: Standing
    load_over_after_seconds: float
    """When the base load had run out; 0: it lasted longer than the faults."""
    faults_over_after_seconds: float
    at_rest_after_seconds: float
    """From the end of load and faults until all was at rest."""
    settled: bool
    drained: bool
    stopped_early: bool


class Clock:
    """When what happened, in seconds from the start of the load."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.load_over = 0.0

    @property
    def now(self) -> float:
        """Give the seconds since the start."""
        return time.monotonic() - self._began


def carry_out(out: Console, place: Site, work: Work) -> Course:
    """Run it all on servers that are up. Raises SetupError where the rig does not work at all."""
    provision(place)
    write_load(work.load.plan, place.run_dir / LOAD_FILE)
    rig = Rig(place, work.shape)
    rig.ground = work.ground
    watch = Watch(out, rig)
    with _started(rig), sampled(rig), ExitStack() as stack:
        seed_stock(watch, place, work.load.feed_records(), work.load.deliveries)
        watch.say(f"review rules: version {activate_rules(place.settings)}")
        rig.loader = stack.enter_context(loading(place, place.run_dir / LOAD_FILE))
        clock = Clock()
        ledger = Ledger(place.run_dir)
        stack.callback(ledger.close)
        runner = Runner(rig, work.kinds, ledger, lambda line: watch.say(f"{clock.now:6.1f} s {line}"))
        stack.callback(runner.end)
        runner.run(work.planned, _meanwhile(runner, watch, work, clock))
        over = clock.now
        stopped = runner.stopping.is_set()
        watch.say(f"{over:6.1f} s all faults are over; {rig.loader.last.left} records of the load are left")
        rig.loader.finish()
        standing = rig.loader.result()
        settled = not stopped and _settle(rig, watch) and _close(rig, watch, work.load)
        rested = clock.now - over
        watch.say(f"{clock.now:6.1f} s at rest: {settled}; draining")
        drained = rig.drain()
    return Course(
        entries=ledger.entries,
        exits=rig.exits(),
        refusals=rig.refusals,
        standing=standing,
        load_over_after_seconds=clock.load_over,
        faults_over_after_seconds=over,
        at_rest_after_seconds=rested,
        settled=settled,
        drained=drained,
        stopped_early=stopped,
    )


@contextmanager
def _started(rig: Rig) -> Iterator[None]:
    """Have the rig's processes for a block of code; none outlives it."""
    try:
        rig.start()
        yield
    finally:
        rig.kill_all()


def _meanwhile(runner: Runner, watch: Watch, work: Work, clock: Clock) -> Callable[[], None]:
    """Make what is done between two faults: watch the load, show it, and look whether the run is broken already."""
    shown = looked = 0.0
    rig = runner.rig

    def meanwhile() -> None:
        nonlocal shown, looked
        rig.check()
        if rig.loader is not None and not rig.loader.last.left and not clock.load_over:
            clock.load_over = clock.now
        if clock.now - shown >= SHOW_SECONDS:
            shown = clock.now
            watch.show(rig.loader.last.sent if rig.loader else 0)
        if work.is_broken is not None and clock.now - looked >= LOOK_SECONDS:
            if any(not refusal.expected for refusal in rig.refusals) or work.is_broken(rig.place):
                watch.say(f"{clock.now:6.1f} s the run is broken: it ends here")
                runner.stopping.set()
            looked = clock.now

    return meanwhile


def _settle(rig: Rig, watch: Watch) -> bool:
    """Wait until nothing is on its way any more, and every worker is at work, for as long as anything moves."""
    is_still = still_for(STILL_SECONDS)
    sent = rig.loader.last.sent if rig.loader else 0
    rested = False

    def over(moment: Moment) -> bool:
        nonlocal rested
        rested = watch.at_rest(moment) and rig.owned() == rig.partitions
        return rested or is_still(moment.at, (moment.counts, dict(moment.scrape.lag_records)))

    watch.wait(lambda: sent, over, SETTLE_SECONDS_MAX)
    return rested


def _close(rig: Rig, watch: Watch, load: Load) -> bool:
    """End the load's promotion, and wait until that has had its effects."""
    close_promotion(rig.place.settings, load.promotion.span.ends_ms)
    return _settle(rig, watch)


def still_for(seconds: float) -> Callable[[float, object], bool]:
    """Make what is told the time and what is seen, again and again, and says when that was the same for so long."""
    last: object = None
    moved_at = 0.0

    def is_still(at: float, seen: object) -> bool:
        nonlocal last, moved_at
        if seen != last:
            last, moved_at = seen, at
        return at - moved_at >= seconds

    return is_still
