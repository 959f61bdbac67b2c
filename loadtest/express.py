"""`python -m loadtest express`: how far an expedited order gets ahead under a backlog, and what it costs the others.

The routing stage as a worker runs it, over records, in this process, on event time: one warehouse picks waves of so
many parts, and twice as many orders come in while they come. A share of them is expedited, half of these when they are
routed, half by a command while they wait. The same orders with nobody expedited are the comparison. Nothing that is
expedited may be picked after an ordinary order that waited for the same wave: that is judged by what the stage wrote.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agents.routing import ROUTING
from loadtest.lateness import percentile
from loadtest.options import at_least, share, writable, write_json
from loadtest.showing import console
from pipeline.domain.commands import Command, Tick
from pipeline.domain.local_time import MINUTE_MS, moment
from pipeline.domain.orders import ShipTo, SkuUnits, order_of
from pipeline.domain.routing.plan import MINUTES_PER_DAY, WAVES_PER_DAY_MAX, PlannedWarehouse, RoutingPlan
from pipeline.domain.routing_commands import AdoptPlan, ExpediteRoute, OpenWarehouse, RouteOrder, StockShelf
from pipeline.engine.deciding import Deciding
from pipeline.engine.outputs import ORDER_EVENTS
from pipeline.engine.stage import Record
from pipeline.engine.tables import PartitionTables
from pipeline.errors import SettingsError
from pipeline.topics import ROUTING_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

POOL, WAREHOUSE, CITY, SKU = "pool", "w1", "杭州市", "SKU-1"
BEGIN = moment(20_700, 0)
PRIORITY = 5
OVERLOAD = 2
"""So many times what a wave takes comes in between two waves."""
WAVE_PARTS_MAX = 10_000
"""What a plan allows."""
LATE_WAVES = 4
"""Who is expedited while it waits, is so within this many waves of its routing."""
SAME_CITY_SHARE = 0.2
"""The orders for the warehouse's own city: of equal priority they go first."""
_encode = msgspec.json.Encoder().encode


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """The orders, and who is expedited when (ms UTC): at its routing, or later."""

    wave: int
    minutes: int
    orders: tuple[RouteOrder, ...]
    asked: dict[str, int]

    @property
    def ends_at(self) -> int:
        """When all must be picked: the last order came, and waves for all of them began since."""
        waves = -(-len(self.orders) // self.wave)
        return self.orders[-1].at + waves * self.minutes * MINUTE_MS


class Picked(msgspec.Struct, frozen=True, kw_only=True):
    """When an order's wave began (ms UTC), and how many began without it while it waited."""

    at: int
    passed: int


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """How long some orders waited from their routing to their wave, in minutes of event time and in waves before it."""

    orders: int
    p50_minutes: float
    p99_minutes: float
    p50_waves: float
    p99_waves: float


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """What some orders waited with the expedited ones before others, and the same orders with nobody expedited."""

    name: str
    expediting: Waits
    nobody: Waits


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run."""

    groups: list[Group]
    asked_p50_minutes: float
    asked_p99_minutes: float
    """How long it took from the command that expedited a waiting order to its wave."""
    too_late: int
    """How many were in a wave already when they were to be expedited; they count as ordinary."""
    behind: int
    """How often an expedited order was put behind an ordinary one that waited for the same wave: it never may be."""
    never_picked: int


class Floor:
    """The stage on its records, and what is known of who waits, by what was sent and what came out."""

    def __init__(self, plan: RoutingPlan) -> None:
        self.waiting: dict[str, int] = {}
        self.picked: dict[str, Picked] = {}
        self.hurried: set[str] = set()
        self.behind = 0
        self._out: list[dict[str, object]] = []
        self._offset = 0
        self._tables, self._stage = PartitionTables(ROUTING), Deciding(ROUTING, self._keep, 1)
        units = (SkuUnits(SKU, 10**9),)
        self.tell(OpenWarehouse(at=BEGIN, pool=POOL, warehouse=WAREHOUSE, latitude=30, longitude=120))
        self.tell(StockShelf(at=BEGIN, pool=POOL, warehouse=WAREHOUSE, units=units))
        self.tell(AdoptPlan(at=BEGIN, pool=POOL, plan=plan))

    def tell(self, command: Command) -> None:
        """Run one record through the stage, and judge the wave that it began, if it did."""
        self._out.clear()
        self._offset += 1
        record = Record(ROUTING_COMMANDS.name, 0, self._offset, command.at, POOL.encode(), _encode(command), ())
        self._stage.run(self._tables, (record,))
        for _ in self._tables.changes():
            pass
        if isinstance(command, RouteOrder):
            self.waiting[command.order_id] = 0
        if isinstance(command, RouteOrder | ExpediteRoute) and command.priority and command.order_id in self.waiting:
            self.hurried.add(command.order_id)
        if any(event["event"] == "WaveStarted" for event in self._out):
            self._judge(command.at)

    def _keep(self, topic: str, value: bytes, *_: object) -> None:
        """Keep an event that the stage produced."""
        if topic == ORDER_EVENTS:
            self._out.append(msgspec.json.decode(value))

    def _judge(self, at: int) -> None:
        """Note who is in the wave that began, and count who was hurried and comes after one who was not."""
        taken = [order_of(str(event["fulfilment_id"])) for event in self._out if event["event"] == "PartReleased"]
        passed = {order_id: self.waiting.pop(order_id) for order_id in taken}
        turns = [order_id in self.hurried for order_id in (*taken, *self.waiting)]
        first = turns.index(False) if not all(turns) else len(turns)
        if taken and first < len(taken):
            self.behind += sum(turns[first:])
        self.picked |= {order_id: Picked(at=at, passed=waves) for order_id, waves in passed.items()}
        for order_id in self.waiting:
            self.waiting[order_id] += 1


def main(arguments: list[str]) -> int:
    """Measure. Gives 0 if no expedited order was behind an ordinary one, and every order was picked."""
    parser = argparse.ArgumentParser(prog="python -m loadtest express", description=__doc__)
    parser.add_argument("--orders", type=int, default=2_000, help="orders, of one part each (%(default)s)")
    parser.add_argument("--share", type=share, default=0.05, help="the share that is expedited (%(default)s)")
    parser.add_argument("--wave", type=int, default=50, help="parts that the warehouse picks in a wave (%(default)s)")
    parser.add_argument("--minutes", type=int, default=60, help="minutes from wave to wave, 60 or more (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="chooses times, cities, who is expedited (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the result to this file as data")
    options = parser.parse_args(arguments)
    at_least(1, orders=options.orders, wave=options.wave)
    at_least(MINUTES_PER_DAY // WAVES_PER_DAY_MAX, minutes=options.minutes)
    writable(json=options.json)
    if options.wave > WAVE_PARTS_MAX:
        message = f"--wave: must be at most {WAVE_PARTS_MAX} (it is {options.wave})"
        raise SettingsError(message)
    if MINUTES_PER_DAY % options.minutes:
        message = f"--minutes: {options.minutes} does not divide a day of {MINUTES_PER_DAY}"
        raise SettingsError(message)
    found = measure(load(options.orders, options.share, (options.wave, options.minutes), options.seed))
    _show(found)
    if options.json:
        write_json(options.json, found)
    return 1 if found.behind or found.never_picked else 0


def load(orders: int, share: float, waves: tuple[int, int], seed: int) -> Load:
    """Draw orders that come while waves of `waves[0]` parts begin every `waves[1]` minutes, and who is expedited."""
    wave, minutes = waves
    chance = random.Random(seed)  # noqa: S311 - a choice to repeat, not a secret
    between_ms = minutes * MINUTE_MS
    span_ms = max(1, orders * between_ms // (OVERLOAD * wave))
    asked, came = dict[str, int](), list[RouteOrder]()
    hurried = set(chance.sample(range(orders), round(orders * share)))
    for number, after in enumerate(sorted(chance.randrange(span_ms) for _ in range(orders))):
        order_id, at = f"{chance.getrandbits(128):032x}", BEGIN + after
        if number in hurried:
            asked[order_id] = at if len(asked) % 2 == 0 else at + 1 + chance.randrange(LATE_WAVES * between_ms)
        city = CITY if chance.random() < SAME_CITY_SHARE else ""
        to = ShipTo(name="", phone="", province="浙江省", city=city, district="", address_detail="")
        priority = PRIORITY if asked.get(order_id) == at else 0
        units = (SkuUnits(SKU, 1),)
        came.append(RouteOrder(at=at, pool=POOL, order_id=order_id, units=units, ship_to=to, priority=priority))
    return Load(wave=wave, minutes=minutes, orders=tuple(came), asked=asked)


def measure(load: Load) -> Report:
    """Run the orders with some of them expedited and with nobody, and compare."""
    nobody = msgspec.structs.replace(
        load, orders=tuple(msgspec.structs.replace(order, priority=0) for order in load.orders), asked={}
    )
    ran, usual = run(load), run(nobody)
    routed = {order.order_id: order.at for order in load.orders}
    first = {order_id for order_id, at in load.asked.items() if at == routed[order_id]}
    names = {
        "expedited when routed": first,
        "expedited while it waited": ran.hurried - first,
        "ordinary": routed.keys() - ran.hurried,
    }
    asked = [
        (ran.picked[order_id].at - load.asked[order_id]) / MINUTE_MS
        for order_id in ran.hurried - first
        if order_id in ran.picked
    ]
    return Report(
        asked_p50_minutes=percentile(asked, 0.5),
        asked_p99_minutes=percentile(asked, 0.99),
        groups=[
            Group(name=name, expediting=_waits(ran, routed, members), nobody=_waits(usual, routed, members))
            for name, members in names.items()
        ],
        too_late=len(load.asked.keys() - ran.hurried),
        behind=ran.behind,
        never_picked=len(ran.waiting) + len(usual.waiting),
    )


def run(load: Load) -> Floor:
    """Tell the stage of the orders as they come, with a tick of the clock every minute, until all must be picked."""
    plan = RoutingPlan(
        version="1",
        warehouses=(PlannedWarehouse(name=WAREHOUSE, city=CITY),),
        wave_minutes=tuple(range(0, MINUTES_PER_DAY, load.minutes)),
        wave_parts_max=load.wave,
    )
    floor = Floor(plan)
    for command in sorted(_commands(load), key=lambda command: command.at):
        floor.tell(command)
    return floor


def _commands(load: Load) -> Iterator[Command]:
    yield from load.orders
    priority = {order.order_id: order.priority for order in load.orders}
    for order_id, at in load.asked.items():
        if not priority[order_id]:
            yield ExpediteRoute(at=at, pool=POOL, order_id=order_id, priority=PRIORITY)
    for at in range(BEGIN, load.ends_at + load.minutes * MINUTE_MS, MINUTE_MS):
        yield Tick(at=at)


def _waits(floor: Floor, routed: Mapping[str, int], members: Iterable[str]) -> Waits:
    found = {order_id: floor.picked[order_id] for order_id in members if order_id in floor.picked}
    minutes = [(picked.at - routed[order_id]) / MINUTE_MS for order_id, picked in found.items()]
    waves = [picked.passed for picked in found.values()]
    return Waits(
        orders=len(found),
        p50_minutes=percentile(minutes, 0.5),
        p99_minutes=percentile(minutes, 0.99),
        p50_waves=percentile(waves, 0.5),
        p99_waves=percentile(waves, 0.99),
    )


def _show(found: Report) -> None:
    out = console()
    for group in found.groups:
        out.print(f"{group.name}, {group.expediting.orders:,} orders: {_line(group.expediting)}")
        out.print(f"  the same orders with nobody expedited: {_line(group.nobody)}")
    asked = f"p50 {found.asked_p50_minutes:,.0f} min, p99 {found.asked_p99_minutes:,.0f} min"
    out.print(f"from the command that expedites a waiting order to its wave: {asked}")
    out.print(f"to be expedited when a wave had them already: {found.too_late:,}")
    out.print(f"expedited and behind an ordinary order of the same queue: {found.behind:,} (none may be)")
    if found.never_picked:
        out.print(f"NEVER PICKED: {found.never_picked:,}")


def _line(waits: Waits) -> str:
    return (
        f"p50 {waits.p50_minutes:,.0f} min, p99 {waits.p99_minutes:,.0f} min from routed to its wave; "
        f"{waits.p50_waves:g} and {waits.p99_waves:g} waves began without it"
    )
