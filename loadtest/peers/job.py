"""The job that every peer is given: hold all lines of an order or none, once, and write down what was answered.

The input is `stock.commands` as the pipeline's own reservation stage reads it, JSON keyed by stock pool:

    {"command": "ReceiveStock", "at": 1, "pool": "pool-0", "feed_id": "…", "warehouse": "w", "units": [["sku-1", 4], …]}
    {"command": "PlaceHold", "at": 2, "pool": "pool-0", "order_id": "…", "units": [["sku-1", 2], …], "ship_to": {…}}

Each PlaceHold gets one answer: HoldPlaced (with its units), HoldRefused, or, when its id was answered before,
HoldRepeated. What is free of a SKU lies in a table by `pool|SKU`, what was answered in one by order id; both are
written to a changelog that a restarted peer restores from.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

READS = "stock.commands"
WRITES = "peers.answers"
CHANGELOG = "peers.changelog"
PARTITIONS = 4
COMMIT_SECONDS = 0.1
SESSION_SECONDS = 6.0
TRANSACTION_SECONDS = 10
BATCH_RECORDS = 1000
PLACED, REFUSED, REPEATED = "HoldPlaced", "HoldRefused", "HoldRepeated"

POOLS_EACH = 2
"""Stock pools in each partition."""
SKUS = 2_000
"""SKUs in each pool."""
RESUBMITTED_SHARE = 0.02
RESUBMITTED_WITHIN = 500
"""A repeated order is one of the last so many of its pool."""
STOCKED = (0.3, 1.3)
"""How much of a SKU's demand is in stock, at least and at most: so some SKUs run out early, and some never."""
FEED_SKUS = 500
"""SKUs in one delivery."""
BEGAN_AT = 1_700_000_000_000


class Job(NamedTuple):
    """How much there is to do. The same numbers give the same records."""

    orders: int
    lines_max: int
    seed: int = 1


class InputRecord(NamedTuple):
    """A record of the input topic."""

    partition: int
    key: str
    value: bytes


def make_records(job: Job) -> list[InputRecord]:
    """Make the input: the deliveries first, then the orders."""
    chance = random.Random(job.seed)  # noqa: S311 - a fixed choice of orders
    orders = list(_orders(job, chance))
    return [*_deliveries(orders, chance), *(_record(order["pool"], order) for order in orders)]


def _orders(job: Job, chance: random.Random) -> Iterator[dict[str, object]]:
    pools = [f"pool-{number}" for number in range(PARTITIONS * POOLS_EACH)]
    asked: dict[str, list[dict[str, object]]] = {pool: [] for pool in pools}
    for number in range(job.orders):
        pool = pools[chance.randrange(len(pools))]
        before = asked[pool]
        if before and chance.random() < RESUBMITTED_SHARE:
            yield chance.choice(before[-RESUBMITTED_WITHIN:])
            continue
        order = {
            "command": "PlaceHold",
            "at": BEGAN_AT + number,
            "pool": pool,
            "order_id": f"{chance.getrandbits(128):032x}",
            "units": [[sku, chance.randint(1, 3)] for sku in _skus(chance, chance.randint(1, job.lines_max))],
            "ship_to": {
                "name": f"buyer {number}",
                "phone": f"138{number:08d}",
                "province": "浙江省",
                "city": "杭州市",
                "district": "西湖区",
                "address_detail": f"文三路 {number} 号",
            },
        }
        before.append(order)
        yield order


def _skus(chance: random.Random, lines: int) -> list[str]:
    """Draw the SKUs of an order, each once: a hundredth of them sells a fifth of all."""
    drawn = {int(SKUS * chance.random() ** 3) for _ in range(lines)}
    return [f"sku-{number:06d}" for number in sorted(drawn)]


def _deliveries(orders: list[dict[str, object]], chance: random.Random) -> Iterator[InputRecord]:
    demand: dict[str, dict[str, int]] = {f"pool-{number}": {} for number in range(PARTITIONS * POOLS_EACH)}
    for order in orders:
        wanted = demand[str(order["pool"])]
        for sku, units in order["units"]:  # type: ignore[attr-defined]  # pairs of a SKU and its units
            wanted[sku] = wanted.get(sku, 0) + units
    for pool, wanted in demand.items():
        register = {"warehouse": "w", "feed_id": f"{pool}-w", "latitude": 30.0, "longitude": 120.0}
        yield _record(pool, {"command": "RegisterWarehouse", "at": BEGAN_AT, "pool": pool, **register})
        stocked = [[sku, int(units * chance.uniform(*STOCKED)) + 1] for sku, units in sorted(wanted.items())]
        for start in range(0, len(stocked), FEED_SKUS):
            feed = {"feed_id": f"{pool}-{start}", "warehouse": "w", "units": stocked[start : start + FEED_SKUS]}
            yield _record(pool, {"command": "ReceiveStock", "at": BEGAN_AT, "pool": pool, **feed})


def _record(pool: object, command: dict[str, object]) -> InputRecord:
    number = int(str(pool).rpartition("-")[2]) % PARTITIONS
    return InputRecord(number, str(pool), json.dumps(command, ensure_ascii=False, separators=(",", ":")).encode())
