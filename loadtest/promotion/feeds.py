"""What warehouses, planners and the clock say of a promotion: at its begin, and among its orders."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from loadtest.geography import POOLS, warehouses
from loadtest.promotion.special import sku_of
from loadtest.scenario import TimedRecord
from pipeline.domain.commands import ReceiveStock, RegisterWarehouse, Tick
from pipeline.domain.network_commands import NetworkCommand, SetRoutingPlan, WithdrawWarehouse
from pipeline.domain.order_policy import OrderPolicy, SetOrderPolicy
from pipeline.domain.orders import SkuUnits, SubPool
from pipeline.domain.routing.plan import PlannedWarehouse, RoutingPlan, Weights
from pipeline.domain.stock_commands import AnnounceInbound, OpenFlash, SetSafety, StockFeed, TransferStock
from pipeline.topics import ORDER_COMMANDS, ROUTING_COMMANDS, STOCK_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Feed: TypeAlias = "StockFeed | NetworkCommand"
PROMISED_SHARE = 0.9
FLASH_SCARCE_SHARE, FLASH_AMPLE_SHARE = 0.5, 1.5
"""A flash sale's units, of those that are wanted: too few in every second pool, too many in the others."""
FLASH_UNTIL = 0.6
GOODS_AT = 0.67
"""When, of the time, more goods come."""
CLOSED_FROM, CLOSED_UNTIL = 0.4, 0.8
GATE_FLOOR_SHARE = 0.5
POLICY = OrderPolicy(version="promotion", hold_unpaid_ms=8_000, unpaid_warn_ms=10_000, unpaid_cancel_ms=10_000)
"""The limits of a promotion that lasts for seconds. A hold expires before its order is cancelled."""
TICK_SECONDS = 1.0
INBOUND = "promised"
_encode = msgspec.json.Encoder().encode


class Span(NamedTuple):
    """When a promotion is: its begin in milliseconds UTC, and how long orders come, and the clock ticks, in seconds."""

    begin_ms: int
    orders_seconds: float
    clock_seconds: float

    def ms(self, part: float) -> int:
        """Give the time when so much of the orders' time is over, of 1."""
        return self.begin_ms + int(self.seconds(part) * 1000)

    @property
    def ends_ms(self) -> int:
        """Give the time when the clock ends."""
        return self.begin_ms + int(self.clock_seconds * 1000)

    def seconds(self, part: float) -> float:
        """Give the same in seconds from the begin."""
        return self.orders_seconds * part


Wanted: TypeAlias = "Mapping[tuple[str, str], int]"
"""Units that the special orders want of their own SKUs, by (kind, pool)."""


def opening(wanted: Wanted, span: Span, planned: str) -> Iterator[Feed]:
    """Give what is fed before the first order: goods, promises, sub-pools, levels, and the plan of one pool."""
    at = span.begin_ms
    for (kind, pool), units in sorted(wanted.items()):
        first, sku = next(iter(warehouses(pool))), sku_of(kind, pool)
        on_hand = {"flash": 2 * units, "backorder": 1, "safety": units, "gated": units}.get(kind, 0)
        if on_hand:
            goods = (SkuUnits(sku, on_hand),)
            yield ReceiveStock(at=at, pool=pool, feed_id=f"own-{kind}", warehouse=first, units=goods)
        yield from _set_up(kind, pool, units, span)
    if planned:
        yield SetRoutingPlan(at=at, pool=planned, feed_id="plan", plan=plan_of(planned))


def _set_up(kind: str, pool: str, units: int, span: Span) -> Iterator[Feed]:
    at, sku, first = span.begin_ms, sku_of(kind, pool), next(iter(warehouses(pool)))
    if kind == "presale":
        promised = (SkuUnits(sku, math.ceil(units * PROMISED_SHARE)),)
        yield AnnounceInbound(at=at, pool=pool, feed_id="announce", inbound_id=INBOUND, warehouse=first, units=promised)
    elif kind == "flash":
        is_scarce = list(POOLS).index(pool) % 2 == 0
        count = max(1, int(units * (FLASH_SCARCE_SHARE if is_scarce else FLASH_AMPLE_SHARE)))
        closes_at = span.ms(FLASH_UNTIL)
        yield OpenFlash(at=at, pool=pool, flash_id="flash", sku=sku, units=count, opens_at=at, closes_at=closes_at)
    elif kind == "safety" and units > 1:
        yield _transfer(pool, sku, units // 2, at, SubPool.SAFETY)
    elif kind == "gated":
        floor = max(1, int(units * GATE_FLOOR_SHARE))
        yield SetSafety(at=at, pool=pool, feed_id="level", sku=sku, lead_days=0, floor_units=floor)


def _transfer(pool: str, sku: str, units: int, at: int, to_pool: SubPool) -> TransferStock:
    from_pool = SubPool.STOCK if to_pool is SubPool.SAFETY else SubPool.SAFETY
    feed_id = f"to-{to_pool}"
    return TransferStock(at=at, pool=pool, feed_id=feed_id, sku=sku, units=units, from_pool=from_pool, to_pool=to_pool)


def plan_of(pool: str) -> RoutingPlan:
    """Give a plan that weighs distance, cost and load; its warehouses cost differently."""
    sites = tuple(
        PlannedWarehouse(name=name, city="", parcel_minor=600 + 100 * number, minor_per_100_km=40)
        for number, name in enumerate(warehouses(pool))
    )
    weights = Weights(nearest=2, cost=2, load=1, priority=1)
    return RoutingPlan(version="promotion-1", weights=weights, warehouses=sites, water_line=1, express_priority=50)


def meanwhile(wanted: Wanted, span: Span, planned: str) -> Iterator[TimedRecord]:
    """Give what is fed among the orders: what was promised and waited for comes, a warehouse is closed for a while."""
    at_seconds, at = span.seconds(GOODS_AT), span.ms(GOODS_AT)
    for (kind, pool), units in sorted(wanted.items()):
        first, sku = next(iter(warehouses(pool))), sku_of(kind, pool)
        if kind == "safety" and units > 1:
            yield _fed(at_seconds, _transfer(pool, sku, units // 2, at, SubPool.STOCK))
        coming = {
            "presale": math.ceil(units * PROMISED_SHARE),
            "backorder": units,
            "gated": units if pool != next(reversed(POOLS)) else 0,
        }.get(kind, 0)
        if coming:
            inbound_id, goods = INBOUND if kind == "presale" else "", (SkuUnits(sku, coming),)
            feed_id = f"more-{kind}"
            received = ReceiveStock(
                at=at, pool=pool, feed_id=feed_id, warehouse=first, units=goods, inbound_id=inbound_id
            )
            yield _fed(at_seconds, received)
    if planned:
        yield from _closed(planned, span)


def _closed(pool: str, span: Span) -> Iterator[TimedRecord]:
    """Close the warehouse of a pool that most goods are in, and open it again."""
    name, place = next(iter(warehouses(pool).items()))
    at = span.ms(CLOSED_FROM)
    closed = WithdrawWarehouse(at=at, pool=pool, feed_id="closed", warehouse=name, reason="stocktaking")
    yield _fed(span.seconds(CLOSED_FROM), closed)
    at, north, east = span.ms(CLOSED_UNTIL), place.latitude, place.longitude
    opened = RegisterWarehouse(at=at, pool=pool, feed_id="reopened", warehouse=name, latitude=north, longitude=east)
    yield _fed(span.seconds(CLOSED_UNTIL), opened)


def _fed(at_seconds: float, command: Feed) -> TimedRecord:
    return TimedRecord(at_seconds, command.pool.encode(), _encode(command), topic=STOCK_COMMANDS.name)


def limits(span: Span, partitions: int) -> Iterator[TimedRecord]:
    """Set the promotion's limits, in every partition of dedup's input."""
    value = _encode(SetOrderPolicy(at=span.begin_ms, policy=POLICY, author="promotion"))
    for partition in range(partitions):
        yield TimedRecord(0.0, b"", value, topic=ORDER_COMMANDS.name, partition=partition)


def ticks(span: Span, partitions: int) -> Iterator[TimedRecord]:
    """Say what time it is, every TICK_SECONDS, to every stage that has time limits."""
    for number in range(int(span.clock_seconds / TICK_SECONDS) + 1):
        at_seconds = number * TICK_SECONDS
        value = _encode(Tick(at=span.begin_ms + int(at_seconds * 1000)))
        for topic in (ORDER_COMMANDS, STOCK_COMMANDS, ROUTING_COMMANDS):
            for partition in range(partitions):
                yield TimedRecord(at_seconds, b"", value, topic=topic.name, partition=partition)
