"""`python -m loadtest holds`: what a hold costs by the number of SKUs that a pool has, and when all want one SKU.

The reservation stage as a worker runs it, over records, in this process: decode, decide, evolve, encode events and
commands, and the changelog's records. Only what librdkafka does is left out. CPU time of this process.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import msgspec
import psutil

from agents.reservation import RESERVATION
from loadtest.options import at_least, writable, write_json
from loadtest.showing import console
from pipeline.domain.commands import PlaceHold, ReceiveStock, RegisterWarehouse
from pipeline.domain.events import HoldPlaced
from pipeline.domain.orders import ShipTo, SkuUnits
from pipeline.engine.deciding import Deciding
from pipeline.engine.stage import Record
from pipeline.engine.tables import PartitionTables
from pipeline.errors import SettingsError
from pipeline.topics import STOCK_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.domain.commands import Command

POOL, WAREHOUSE, AT = "pool", "w1", 1_790_000_000_000
SHIP_TO = ShipTo(name="", phone="", province="浙江省", city="杭州市", district="", address_detail="")
LINES_PER_FEED, LINES_PER_ORDER = 500, 3
BATCH = 500
UNITS = 10**6
FLAT_RATIO_MAX = 3.0
"""The dearest hold may cost so many times the cheapest one. The balances of 1,000 SKUs lie in the processor's cache,
those of a million do not: that costs twice the time, once. A rule that looked at all SKUs would cost a thousand times
it."""
HOT_PER_SECOND_MIN = 5_000
_encode = msgspec.json.Encoder().encode


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a hold cost: the median over batches in CPU microseconds, in the first and the last tenth of them."""

    skus: int
    holds: int
    is_hot: bool
    microseconds: float
    first_microseconds: float
    last_microseconds: float
    resident_mb: float
    """What the process has, with all SKUs filled and all holds placed."""


def main(arguments: list[str]) -> int:
    """Measure. Gives 0 if a hold costs the same with many SKUs, and on one SKU as many as HOT_PER_SECOND_MIN fit."""
    parser = argparse.ArgumentParser(prog="python -m loadtest holds", description=__doc__)
    parser.add_argument("--skus", default="1000,100000,1000000", help="numbers of SKUs, by commas (%(default)s)")
    parser.add_argument("--holds", type=int, default=20_000, help="holds for each of them (%(default)s)")
    parser.add_argument("--hot", type=int, default=50_000, help="holds of one SKU (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="chooses the SKUs (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the result to this file as data")
    options = parser.parse_args(arguments)
    at_least(10 * BATCH, holds=options.holds, hot=options.hot)
    writable(json=options.json)
    out, found = console(), []
    for count in _numbers(options.skus):
        found.append(measure(count, options.holds, options.seed))
        out.print(_line(found[-1]))
    hot = measure(1, options.hot, options.seed)
    out.print(_line(hot))
    dearest, cheapest = (choose(cost.microseconds for cost in found) for choose in (max, min))
    per_second = 1e6 / hot.microseconds
    is_flat, is_fast = dearest <= FLAT_RATIO_MAX * cheapest, per_second >= HOT_PER_SECOND_MIN
    grows = hot.last_microseconds > FLAT_RATIO_MAX * hot.first_microseconds
    out.print(
        f"dearest to cheapest: {dearest / cheapest:.2f} (at most {FLAT_RATIO_MAX:g}): {'flat' if is_flat else 'NO'}"
    )
    out.print(f"one SKU: {per_second:,.0f} holds/s, last to first {hot.last_microseconds / hot.first_microseconds:.2f}")
    if options.json:
        write_json(options.json, [*found, hot])
    return 0 if is_flat and is_fast and not grows else 1


def _numbers(text: str) -> list[int]:
    """Read the numbers of SKUs. Raises SettingsError."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError as error:
        message = f"--skus: {text!r} is no list of whole numbers, separated by commas"
        raise SettingsError(message) from error
    for number in found:
        at_least(1, skus=number)
    return found


def measure(skus: int, holds: int, seed: int) -> Cost:
    """Fill a pool with so many SKUs, and place so many holds in it."""
    tables, stage = PartitionTables(RESERVATION), Deciding(RESERVATION, _drop, 1)
    gc.disable()  # a worker freezes what it has, and hardly collects either
    try:
        _work(stage, tables, _records(_fill(skus)))
        orders = list(_records(_orders(skus, holds, seed)))
        batches = [orders[begin : begin + BATCH] for begin in range(0, len(orders), BATCH)]
        spent = [_seconds(stage, tables, batch) / len(batch) * 1e6 for batch in batches]
    finally:
        gc.enable()
    tenth = max(1, len(spent) // 10)
    if stage.events[HoldPlaced] != holds:
        message = f"{stage.events[HoldPlaced]} of {holds} holds were placed"
        raise SettingsError(message)
    return Cost(
        skus=skus,
        holds=holds,
        is_hot=skus == 1,
        microseconds=median(spent),
        first_microseconds=median(spent[:tenth]),
        last_microseconds=median(spent[-tenth:]),
        resident_mb=psutil.Process().memory_info().rss / 1e6,
    )


def _drop(*_: object) -> None:
    """Produce to nobody."""


def _work(stage: Deciding, tables: PartitionTables, records: Iterable[Record]) -> None:
    """Process records as between two commits."""
    stage.run(tables, records)
    for _ in tables.changes():
        pass


def _seconds(stage: Deciding, tables: PartitionTables, records: Iterable[Record]) -> float:
    """Process records, and give the CPU time that it took."""
    began = time.process_time()
    _work(stage, tables, records)
    return time.process_time() - began


def _records(commands: Iterable[Command]) -> Iterator[Record]:
    for offset, command in enumerate(commands):
        yield Record(STOCK_COMMANDS.name, 0, offset, AT, POOL.encode(), _encode(command), ())


def _fill(skus: int) -> Iterator[Command]:
    yield RegisterWarehouse(at=AT, pool=POOL, feed_id="w", warehouse=WAREHOUSE, latitude=30, longitude=120)
    for begin in range(0, skus, LINES_PER_FEED):
        units = tuple(SkuUnits(f"SKU-{number}", UNITS) for number in range(begin, min(skus, begin + LINES_PER_FEED)))
        yield ReceiveStock(at=AT, pool=POOL, feed_id=f"f{begin}", warehouse=WAREHOUSE, units=units)


def _orders(skus: int, holds: int, seed: int) -> Iterator[Command]:
    chance = random.Random(seed)  # noqa: S311 - a choice to repeat, not a secret
    for number in range(holds):
        wanted = {chance.randrange(skus) for _ in range(min(skus, LINES_PER_ORDER))}
        units = tuple(SkuUnits(f"SKU-{sku}", 1) for sku in sorted(wanted))
        yield PlaceHold(at=AT, pool=POOL, order_id=f"{number:032x}", units=units, ship_to=SHIP_TO)


def _line(cost: Cost) -> str:
    skus = "one SKU" if cost.is_hot else f"{cost.skus:,} SKUs"
    return (
        f"{skus}: {cost.microseconds:.1f} CPU µs a hold over {cost.holds:,} holds "
        f"(first tenth {cost.first_microseconds:.1f}, last {cost.last_microseconds:.1f}); {cost.resident_mb:,.0f} MB"
    )
