"""`python -m loadtest costs`: where the time goes, in CPU microseconds per order.

Three accounts that are compared with each other: each stage's own code by piece, over recorded orders in this process;
the floor, which is a loop on a real broker that reads, writes and commits and does nothing else; and the whole box at
work, by process and kind of thread. CPU times are given, so other work on the machine distorts little.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from loadtest.costs.box import Box, measure_box
from loadtest.costs.calls import measure_calls
from loadtest.costs.floor import Cost, Floor, measure_floor
from loadtest.costs.pieces import StageCosts, measure_stage
from loadtest.costs.recording import record
from loadtest.costs.showing import show
from loadtest.deployment import site
from loadtest.options import at_least, writable, write_json
from loadtest.order_size import OrderSize
from loadtest.plan import add_options, make_plan
from loadtest.showing import console
from pipeline.engine.worker import GARBAGE_THRESHOLDS
from pipeline.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from loadtest.plan import Plan

ORDERS, ROUNDS, FLOOR_RECORDS = 10_000, 3, 100_000
VARIED_ORDERS = 3000
"""With which the size of orders and the number of partitions are varied."""
LINES = (1, 3, 9)
PARTITIONS = (1, 4, 32)


class Varied(msgspec.Struct, frozen=True, kw_only=True):
    """What all stages' code takes for an order where one thing is changed."""

    what: str
    microseconds: float


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """The account. `floor`, `calls` and `box` are missing where only the stages were asked for."""

    orders: int
    lines: float
    """Of an order, on average."""
    events: float
    stages: list[StageCosts]
    varied: list[Varied]
    floor: Floor | None = None
    calls: Cost | None = None
    """A call to the carrier; `broker` is the carrier sandbox's own side of it."""
    box: Box | None = None


def main(arguments: list[str]) -> int:
    """Measure, and show."""
    parser = argparse.ArgumentParser(prog="python -m loadtest costs", description=__doc__)
    add_options(parser)
    parser.set_defaults(orders=ORDERS, lines=OrderSize(1, 3))
    parser.add_argument("--workers", type=int, default=2, help="worker processes (%(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each stage's pieces (%(default)s)")
    parser.add_argument("--stages-only", action="store_true", help="the stages' own code alone: no broker is started")
    parser.add_argument("--json", type=Path, help="write the result to this file as data")
    options = parser.parse_args(arguments)
    at_least(1, workers=options.workers, rounds=options.rounds)
    writable(json=options.json)
    out = console()
    costs = measure(out, options)
    show(out, costs)
    if options.json:
        write_json(options.json, costs)
    return 0


def measure(out: Console, options: argparse.Namespace) -> Costs:
    """Measure all that was asked for. Raises SetupError, SettingsError."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    plan = make_plan(options)
    with tempfile.TemporaryDirectory() as directory:
        shops = Path(directory, "shop-pools.json")
        shops.write_bytes(msgspec.json.encode(plan.pools))
        settings = Settings(shop_pools_file=str(shops))
        recording = record(settings, plan)
        costs = Costs(
            orders=plan.orders,
            lines=_lines(plan),
            events=len(recording.events) / plan.orders,
            stages=[measure_stage(stage, plan.orders, options.rounds) for stage in recording.stages],
            varied=_vary(settings, plan, options),
        )
        if options.stages_only:
            return costs
        calls = measure_calls(settings, recording.calls)
    with site(plan.pools, keep=False) as place:
        floor = measure_floor(place.settings, [each.value or b"" for each in recording.events], FLOOR_RECORDS)
    box = measure_box(out, plan, options.workers)
    return msgspec.structs.replace(costs, floor=floor, calls=calls, box=box)


def _lines(plan: Plan) -> float:
    """Count the lines of an order: what its records ask for."""
    sizes = {sent.key: (sent.value or b"").count(b'"line_id"') for sent in plan.scenario.records}
    return sum(sizes.values()) / max(1, len(sizes))


def _vary(settings: Settings, plan: Plan, options: argparse.Namespace) -> list[Varied]:
    """Measure the stages' code once more with orders of other sizes, and with other numbers of partitions."""
    found = []
    if not options.csv:
        fewer = {**vars(options), "orders": min(options.orders, VARIED_ORDERS)}
        for lines in LINES:
            then = argparse.Namespace(**{**fewer, "lines": OrderSize(lines, lines)})
            found.append(_varied(f"{lines} lines at most", settings, make_plan(then)))
        plan = make_plan(argparse.Namespace(**fewer))
    spread = [msgspec.structs.replace(settings, partitions=partitions) for partitions in PARTITIONS]
    return found + [_varied(f"{changed.partitions} partitions", changed, plan) for changed in spread]


def _varied(what: str, settings: Settings, plan: Plan) -> Varied:
    stages = record(settings, plan).stages
    return Varied(what=what, microseconds=sum(measure_stage(each, plan.orders, 1).pieces.whole for each in stages))
