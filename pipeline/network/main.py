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
from pathlib import Path

import msgspec

from pipeline import topics
from pipeline.desk.checking import make, read_json
from pipeline.desk.clock import now_ms
from pipeline.desk.sending import Sender
from pipeline.domain.commands import Command, RegisterWarehouse
from pipeline.domain.network_commands import SKUS_PER_FEED_MAX, DescribeSkus, SetRoutingPlan, WithdrawWarehouse
from pipeline.domain.orders import order_of
from pipeline.domain.routing.plan import RoutingPlan, SkuFacts, problem
from pipeline.domain.routing_commands import ScanItem, ScanOutbound
from pipeline.errors import HoldfastError
from pipeline.settings import read_settings


def main(arguments: list[str]) -> int:
    """Send what was asked for. Gives 0; whatever is wrong is a HoldfastError."""
    asked = _parser().parse_args(arguments)
    told = commands(asked, now_ms())
    topic = topics.ROUTING_COMMANDS if asked.command.startswith("scan") else topics.STOCK_COMMANDS
    with Sender(read_settings(os.environ, needs=("kafka",))) as sender:
        sender.send(topic, asked.pool, told)
    print(f"{asked.pool}: {asked.command} sent to {topic.name} in {len(told)} record(s)")
    return 0


def commands(asked: argparse.Namespace, at: int) -> list[Command]:
    """Give the commands that were asked for, checked as the stage's decoder will. Raises HoldfastError."""
    pool = asked.pool
    made: list[Command]
    match asked.command:
        case "plan":
            plan = read_json(asked.file, RoutingPlan)
            if wrong := problem(plan):
                message = f"{asked.file}: {wrong}"
                raise HoldfastError(message)
            feed_id = asked.feed_id or f"plan-{plan.version}"
            made = [SetRoutingPlan(at=at, pool=pool, feed_id=feed_id, plan=plan)]
        case "products":
            made = _products(read_json(asked.file, tuple[SkuFacts, ...]), asked, at)
        case "open" | "close":
            made = [_warehouse(asked, at)]
        case _:
            made = [_scan(asked, at)]
    return [_check(command) for command in made]


def _products(skus: tuple[SkuFacts, ...], asked: argparse.Namespace, at: int) -> list[Command]:
    feed_id = asked.feed_id or f"products-{at}"
    return [
        DescribeSkus(at=at, pool=asked.pool, feed_id=f"{feed_id}-{begin}", skus=skus[begin : begin + SKUS_PER_FEED_MAX])
        for begin in range(0, len(skus), SKUS_PER_FEED_MAX)
    ]


def _warehouse(asked: argparse.Namespace, at: int) -> Command:
    pool, warehouse = asked.pool, asked.warehouse
    feed_id = asked.feed_id or f"{asked.command}-{warehouse}-{at}"
    if asked.command == "close" and not asked.reason.strip():
        message = "--reason: must not be empty: it is what people read in the events"
        raise HoldfastError(message)
    if asked.command == "close":
        return WithdrawWarehouse(at=at, pool=pool, feed_id=feed_id, warehouse=warehouse, reason=asked.reason)
    north, east = asked.latitude, asked.longitude
    return RegisterWarehouse(at=at, pool=pool, feed_id=feed_id, warehouse=warehouse, latitude=north, longitude=east)


def _scan(asked: argparse.Namespace, at: int) -> Command:
    name = asked.fulfilment_id
    if not order_of(name) or not name.rpartition("-")[2].isdecimal():
        message = f"FULFILMENT_ID: wants an order's id, a dash and the part's number (it is {name!r})"
        raise HoldfastError(message)
    if asked.command == "scan-item":
        return ScanItem(
            at=at, pool=asked.pool, order_id=order_of(name), fulfilment_id=name, sku=asked.sku, units=asked.units
        )
    scan_id = asked.feed_id or f"{name}-{at}"
    return ScanOutbound(at=at, pool=asked.pool, order_id=order_of(name), fulfilment_id=name, scan_id=scan_id)


def _check(command: Command) -> Command:
    """See that the stage's decoder will take a command. Raises HoldfastError, which names the field."""
    fields = msgspec.json.decode(msgspec.json.encode(command))
    fields.pop("command")
    return make(type(command), fields, type(command).__name__)


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
