"""`python -m pipeline network …`: tell a pool of its plan, its products and its warehouses, and what was scanned.

    network plan POOL FILE              compare the pool's warehouses by the plan in FILE (JSON; see plan.example.json)
    network products POOL FILE          take SKUs' categories and weights from FILE (JSON: [{sku, category, grams}, …])
    network open POOL WAREHOUSE LATITUDE LONGITUDE
    network close POOL WAREHOUSE --reason WHY
    network scan-item POOL FULFILMENT_ID SKU UNITS
    network scan-out POOL FULFILMENT_ID

A feed counts once by its id, which is made from what it says unless `--feed-id` gives it: a plan's from its version, so
a plan that differs needs another version.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from pipeline import topics
from pipeline.domain.commands import Command, RegisterWarehouse
from pipeline.domain.network_commands import SKUS_PER_FEED_MAX, DescribeSkus, SetRoutingPlan, WithdrawWarehouse
from pipeline.domain.orders import order_of
from pipeline.domain.routing.plan import RoutingPlan, SkuFacts, problem
from pipeline.domain.routing_commands import ScanItem, ScanOutbound
from pipeline.engine import clients
from pipeline.engine.outputs import encode_json
from pipeline.errors import HoldfastError
from pipeline.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import confluent_kafka

    from pipeline.settings import Settings

ACKNOWLEDGED_SECONDS = 30.0
FILE_BYTES_MAX = 1024 * 1024
Read = TypeVar("Read")


def main(arguments: list[str]) -> int:
    """Send what was asked for. Gives 0; whatever is wrong is a HoldfastError."""
    asked = _parser().parse_args(arguments)
    told = commands(asked, time.time_ns() // 1_000_000)
    topic = topics.ROUTING_COMMANDS if asked.command.startswith("scan") else topics.STOCK_COMMANDS
    send(read_settings(os.environ, needs=("kafka",)), topic.name, asked.pool, told)
    print(f"{asked.pool}: {asked.command} sent to {topic.name} in {len(told)} record(s)")
    return 0


def commands(asked: argparse.Namespace, at: int) -> list[Command]:
    """Give the commands that were asked for, checked as the stage's decoder will. Raises HoldfastError."""
    pool = asked.pool
    made: list[Command]
    match asked.command:
        case "plan":
            plan = read(asked.file, RoutingPlan)
            if wrong := problem(plan):
                message = f"{asked.file}: {wrong}"
                raise HoldfastError(message)
            feed_id = asked.feed_id or f"plan-{plan.version}"
            made = [SetRoutingPlan(at=at, pool=pool, feed_id=feed_id, plan=plan)]
        case "products":
            made = _products(read(asked.file, tuple[SkuFacts, ...]), asked, at)
        case "open" | "close":
            made = [_warehouse(asked, at)]
        case _:
            made = [_scan(asked, at)]
    for command in made:
        _check(command)
    return made


def _products(skus: tuple[SkuFacts, ...], asked: argparse.Namespace, at: int) -> list[Command]:
    feed_id = asked.feed_id or f"products-{at}"
    return [
        DescribeSkus(at=at, pool=asked.pool, feed_id=f"{feed_id}-{begin}", skus=skus[begin : begin + SKUS_PER_FEED_MAX])
        for begin in range(0, len(skus), SKUS_PER_FEED_MAX)
    ]


def _warehouse(asked: argparse.Namespace, at: int) -> Command:
    pool, warehouse = asked.pool, asked.warehouse
    feed_id = asked.feed_id or f"{asked.command}-{warehouse}-{at}"
    if asked.command == "close":
        return WithdrawWarehouse(at=at, pool=pool, feed_id=feed_id, warehouse=warehouse, reason=asked.reason)
    north, east = asked.latitude, asked.longitude
    return RegisterWarehouse(at=at, pool=pool, feed_id=feed_id, warehouse=warehouse, latitude=north, longitude=east)


def _scan(asked: argparse.Namespace, at: int) -> Command:
    name = asked.fulfilment_id
    if asked.command == "scan-item":
        return ScanItem(
            at=at, pool=asked.pool, order_id=order_of(name), fulfilment_id=name, sku=asked.sku, units=asked.units
        )
    scan_id = asked.feed_id or f"{name}-{at}"
    return ScanOutbound(at=at, pool=asked.pool, order_id=order_of(name), fulfilment_id=name, scan_id=scan_id)


def _check(command: Command) -> None:
    try:
        msgspec.json.decode(encode_json(command), type=type(command))
    except msgspec.ValidationError as error:
        message = f"{type(command).__name__}: {error}"
        raise HoldfastError(message) from error


def read(path: Path, kind: type[Read]) -> Read:
    """Read a JSON file. Raises HoldfastError, with the file's name and the field."""
    try:
        text = path.read_bytes()
        if len(text) > FILE_BYTES_MAX:
            message = f"{path}: {len(text)} bytes; {FILE_BYTES_MAX} are allowed"
            raise HoldfastError(message)
        return msgspec.json.decode(text, type=kind)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise HoldfastError(message) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"{path}: {error}"
        raise HoldfastError(message) from error


def send(settings: Settings, topic: str, pool: str, told: Sequence[Command]) -> None:
    """Send commands, and wait until they are acknowledged. Raises HoldfastError."""
    failed: list[str] = []

    def acknowledge(error: confluent_kafka.KafkaError | None, _message: confluent_kafka.Message) -> None:
        if error is not None:
            failed.append(error.str())

    producer = clients.producer(settings)
    for command in told:
        producer.produce(topic, encode_json(command), pool, on_delivery=acknowledge)
    left = producer.flush(ACKNOWLEDGED_SECONDS)
    if failed or left:
        message = f"{topic}: {failed[0] if failed else f'{left} records were not acknowledged'}"
        raise HoldfastError(message)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline network", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--feed-id", default="", help="the id by which the feed, or the outbound scan, counts once")
    kinds = parser.add_subparsers(dest="command", required=True)
    named = {name: kinds.add_parser(name) for name in ("plan", "products", "open", "close", "scan-item", "scan-out")}
    for one in named.values():
        one.add_argument("pool")
    for name in ("plan", "products"):
        named[name].add_argument("file", type=Path)
    for name in ("open", "close"):
        named[name].add_argument("warehouse")
    named["open"].add_argument("latitude", type=float)
    named["open"].add_argument("longitude", type=float)
    named["close"].add_argument("--reason", required=True)
    for name in ("scan-item", "scan-out"):
        named[name].add_argument("fulfilment_id")
    named["scan-item"].add_argument("sku")
    named["scan-item"].add_argument("units", type=int)
    return parser
