"""The second work: real orders through all six stages, and the calls to a carrier, from a filled topic."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from loadtest.generator import Outlet, fill, replay
from loadtest.latency import DECIDED
from loadtest.peers.contenders import Contender, Place, module, own_settings, python
from loadtest.peers.model import EXAMPLES_MAX, Verdict
from loadtest.peers.work import Window
from loadtest.plan import add_options, make_plan
from pipeline.carriers.sandbox import SERVICE_PATH
from pipeline.errors import SetupError
from pipeline.services.process import log_tail, wait_until
from pipeline.settings import ROOT, VARIABLES
from pipeline.topics import ORDER_EVENTS, STOCK_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from loadtest.peers.job import Job
    from loadtest.plan import Plan

READY_SECONDS = 60.0
CARRIER_FILE = "carrier-ready"
"""Is given the carrier's address once it listens."""
SHOPS_FILE = "shop-pools.json"
NEVER_SECONDS = 86_400
"""Between two reports of a parcel: its way is no part of this work."""
RECEIVED, HELD, TRACKED = "OrderReceived", "HoldPlaced", "ShipmentTracked"


class Step(NamedTuple):
    """What a stage said of an order: the event's name, the order or its fulfilment order, the units that it holds."""

    event: str
    order_id: str
    of: str
    pool: str = ""
    units: tuple[tuple[str, int], ...] = ()


class Stages:
    """Orders that go through all stages until each is decided: tracked, refused, in review or cancelled."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._on_hand: Counter[tuple[str, str]] = Counter()
        for delivery in plan.deliveries:
            for unit in delivery.units:
                self._on_hand[delivery.pool, unit.sku] += unit.units

    @property
    def is_steady(self) -> bool:
        """Say that the rate is seen at the end only: the first decision comes when most of the work is done."""
        return False

    @property
    def answers(self) -> int:
        """Say how many orders are to be decided."""
        return self._plan.orders

    @contextmanager
    def laid_out(self, place: Place) -> Iterator[None]:
        """Fill the topics, and have a carrier that does not know the orders yet."""
        outlet = Outlet(place.kafka, {})
        fill(outlet, STOCK_COMMANDS.name, self._plan.feed_records())
        if not replay(self._plan.scenario, outlet, lambda _: None, at_once=True).valid:
            message = "the broker did not take the orders"
            raise SetupError(message)
        with _carrier(place.directory):
            yield

    def read(self, value: bytes) -> Step | None:
        """Read a decision, or a hold."""
        event = msgspec.json.decode(value)
        name = event.get("event")
        if name == HELD:
            units = tuple((sku, number) for sku, number in event["units"])
            return Step(name, event["order_id"], event["order_id"], event["pool"], units)
        if name in DECIDED or name == RECEIVED:
            return Step(name, event["order_id"], event.get("fulfilment_id", event["order_id"]))
        return None

    def window(self, answers: Sequence[Step], times: Sequence[float], _warm: int) -> Window | None:
        """Take all, from the first order's first event: the last stage's decisions come in bulk, near the end."""
        begin = next((at for at, step in zip(times, answers, strict=True) if step.event == RECEIVED), None)
        decided = {step.order_id: at for at, step in zip(times, answers, strict=True) if step.event in DECIDED}
        return None if begin is None or not decided else Window(begin, max(decided.values()), len(decided))

    def is_whole(self, answers: Sequence[Step]) -> bool:
        """Say whether every order is decided."""
        return len({step.order_id for step in answers if step.event in DECIDED}) >= self.answers

    def judge(self, answers: Sequence[Step]) -> Verdict:
        """Count orders that were not decided, holds and parcels that came out twice, and SKUs that were oversold."""
        return judge_steps(self.answers, self._on_hand, answers)


def judge_steps(orders: int, on_hand: Counter[tuple[str, str]], steps: Iterable[Step]) -> Verdict:
    """Judge what the stages said of so many orders, with so many units of each (pool, SKU)."""
    seen: Counter[tuple[str, str]] = Counter()
    held: Counter[tuple[str, str]] = Counter()
    decided = set()
    for step in steps:
        seen[step.event, step.of] += 1
        if step.event in DECIDED:
            decided.add(step.order_id)
        elif step.event == HELD and seen[step.event, step.of] == 1:
            for sku, units in step.units:
                held[step.pool, sku] += units
    twice = {what: times for what, times in seen.items() if times > 1 and what[0] in {HELD, TRACKED}}
    oversold = [(key, units) for key, units in held.items() if units > on_hand[key]]
    examples = [f"doubled: {event} of {of}, {times} times" for (event, of), times in twice.items()][:EXAMPLES_MAX]
    examples += [f"oversold: {pool}, {sku}: {units} held of {on_hand[pool, sku]}" for (pool, sku), units in oversold][
        :EXAMPLES_MAX
    ]
    return Verdict(
        doubled=sum(twice.values()) - len(twice),
        lost=max(0, orders - len(decided)),
        wrong=0,
        oversold=len(oversold),
        examples=examples,
    )


@contextmanager
def _carrier(directory: Path) -> Iterator[None]:
    """Have the carrier sandbox for a block of code."""
    ready, log = directory / CARRIER_FILE, directory / "carrier.log"
    files = ("--ready-file", str(ready), "--book", str(directory / "book.jsonl"))
    options = ("--port", "0", *files, "--report-interval-seconds", str(NEVER_SECONDS))
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - the project's own command
            (sys.executable, "-m", "pipeline", "sandbox", *options),
            cwd=ROOT,
            env={**os.environ, VARIABLES["run_dir"]: str(directory)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: ready.exists() or process.poll() is not None, READY_SECONDS)
        if not ready.exists():
            message = f"the carrier was not ready within {READY_SECONDS:g} s\n{log_tail(log)}"
            raise SetupError(message)
        yield
    finally:
        process.terminate()
        process.wait()


def staged(job: Job, directory: Path) -> Stages:
    """Make the work: so many real orders, some sent twice, late or unpaid at first, none of them hostile."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    chosen = ("--orders", str(job.orders), "--seed", str(job.seed), "--hostile", "0", "--cancelled-share", "0")
    plan = make_plan(parser.parse_args(chosen))
    (directory / SHOPS_FILE).write_bytes(msgspec.json.encode(plan.pools))
    return Stages(plan)


def _environ(place: Place) -> dict[str, str]:
    ready = place.directory / CARRIER_FILE
    return {
        **own_settings(place),
        VARIABLES["shop_pools_file"]: str(place.directory.parent / SHOPS_FILE),
        VARIABLES["carrier_url"]: f"{ready.read_text()}{SERVICE_PATH}" if ready.exists() else "",
    }


HOLDFAST = Contender(
    name="holdfast",
    title="Holdfast, six stages",
    guarantee="exactly once",
    command=module("pipeline", "worker"),
    prepare=module("pipeline", "topics"),
    environ=_environ,
    writes=ORDER_EVENTS.name,
)
STAGED = (
    HOLDFAST,
    HOLDFAST._replace(
        name="faust",
        title="the same rules on Faust 0.15.3",
        guarantee="at least once",
        command=python("faust_stages"),
    ),
)
