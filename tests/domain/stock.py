"""Stock for the tests: commands to reservation, of which a test says what it is about, and what is there afterwards."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import msgspec

from pipeline.domain.commands import (
    CancelHold,
    Command,
    ConfirmHold,
    ConsumeHold,
    PlaceHold,
    ReceiveStock,
    RegisterWarehouse,
    ReleaseHold,
    Tick,
)
from pipeline.domain.order_commands import ExpediteHold, TrimHold
from pipeline.domain.orders import SubPool
from pipeline.domain.stock_commands import AnnounceInbound, DefineBundle, OpenFlash, SetSafety, TransferStock
from tests.domain.folding import Folded
from tests.domain.orders import NOON, POOL, SHIP_TO, order_id, units
from tests.domain.stages import folded

MINUTE_MS = 60_000


def open_warehouse(name: str = "w1") -> RegisterWarehouse:
    return RegisterWarehouse(at=NOON, pool=POOL, feed_id=f"open {name}", warehouse=name, latitude=30, longitude=120)


def receive(feed_id: str, /, inbound_id: str = "", at: int = NOON, **counts: int) -> ReceiveStock:
    return ReceiveStock(at=at, pool=POOL, feed_id=feed_id, warehouse="w1", units=units(**counts), inbound_id=inbound_id)


def place(name: str, /, at: int = NOON, **counts: int) -> PlaceHold:
    return PlaceHold(at=at, pool=POOL, order_id=order_id(name), units=units(**counts), ship_to=SHIP_TO)


def with_terms(command: PlaceHold, **terms: Any) -> PlaceHold:  # noqa: ANN401  any field of PlaceHold
    """Give the same request under other terms."""
    return msgspec.structs.replace(command, **terms)


def tentative(name: str, /, minutes: int = 30, **counts: int) -> PlaceHold:
    return with_terms(place(name, **counts), expires_at=NOON + minutes * MINUTE_MS)


def patient(name: str, /, priority: int = 0, at: int = NOON, **counts: int) -> PlaceHold:
    """Ask for an order that waits for what is not there."""
    return with_terms(place(name, at=at, **counts), may_split=True, priority=priority)


def presale(name: str, /, priority: int = 0, at: int = NOON, **counts: int) -> PlaceHold:
    return with_terms(place(name, at=at, **counts), sub_pool=SubPool.PRESALE, priority=priority)


def flash(name: str, /, at: int = NOON, **counts: int) -> PlaceHold:
    return with_terms(place(name, at=at, **counts), sub_pool=SubPool.FLASH)


def confirm(name: str, at: int = NOON) -> ConfirmHold:
    return ConfirmHold(at=at, pool=POOL, order_id=order_id(name), paid_minor=100)


def cancel(name: str) -> CancelHold:
    return CancelHold(at=NOON, pool=POOL, order_id=order_id(name), reason="buyer")


def trim(name: str, trim_id: str = "t1", /, **counts: int) -> TrimHold:
    return TrimHold(at=NOON, pool=POOL, order_id=order_id(name), units=units(**counts), reason="buyer", trim_id=trim_id)


def expedite(name: str, priority: int) -> ExpediteHold:
    return ExpediteHold(at=NOON, pool=POOL, order_id=order_id(name), priority=priority)


def consume(name: str, /, **counts: int) -> ConsumeHold:
    key = order_id(name)
    return ConsumeHold(at=NOON, pool=POOL, order_id=key, fulfilment_id=f"{key}-1", units=units(**counts))


def release(name: str, /, **counts: int) -> ReleaseHold:
    key = order_id(name)
    return ReleaseHold(
        at=NOON, pool=POOL, order_id=key, fulfilment_id=f"{key}-1", units=units(**counts), reason="buyer"
    )


def announce(inbound_id: str = "i1", /, **counts: int) -> AnnounceInbound:
    return AnnounceInbound(
        at=NOON,
        pool=POOL,
        feed_id=f"announce {inbound_id}",
        inbound_id=inbound_id,
        warehouse="w1",
        units=units(**counts),
    )


def transfer(feed_id: str, count: int, from_pool: SubPool, to_pool: SubPool) -> TransferStock:
    return TransferStock(
        at=NOON, pool=POOL, feed_id=feed_id, sku="X", units=count, from_pool=from_pool, to_pool=to_pool
    )


def open_flash(count: int, flash_id: str = "618", opens_in: int = 0, minutes: int = 60) -> OpenFlash:
    return OpenFlash(
        at=NOON,
        pool=POOL,
        flash_id=flash_id,
        sku="X",
        units=count,
        opens_at=NOON + opens_in * MINUTE_MS,
        closes_at=NOON + minutes * MINUTE_MS,
    )


def define(sku: str, feed_id: str = "b1", /, **parts: int) -> DefineBundle:
    return DefineBundle(at=NOON, pool=POOL, feed_id=feed_id, sku=sku, parts=units(**parts))


def watch(lead_days: int, floor_units: int = 0, sku: str = "X") -> SetSafety:
    return SetSafety(at=NOON, pool=POOL, feed_id=f"watch {sku}", sku=sku, lead_days=lead_days, floor_units=floor_units)


def tick(minutes: int) -> Tick:
    return Tick(at=NOON + minutes * MINUTE_MS)


def stocked(**counts: int) -> Folded:
    """Give a reservation stage with a warehouse that has so much."""
    stage = folded("reservation")
    stage.tell(open_warehouse())
    if counts:
        stage.tell(ReceiveStock(at=NOON, pool=POOL, feed_id="f1", warehouse="w1", units=units(**counts)))
    return stage


def tell_all(stage: Folded, *commands: Command) -> None:
    """Tell a stage one command after the other."""
    for command in commands:
        stage.tell(command)


def balance(stage: Folded, sub_pool: SubPool = SubPool.STOCK, sku: str = "X") -> tuple[int, int]:
    """Give a SKU's units in a sub-pool: on hand, held."""
    table = stage.state.stock if sub_pool is SubPool.STOCK else stage.state.sub_stock
    found = table.get(f"{POOL}|{sku}" if sub_pool is SubPool.STOCK else f"{POOL}|{sub_pool}|{sku}")
    return (0, 0) if found is None else (found.on_hand, found.held)


def hold_state(stage: Folded, name: str) -> str:
    """Give what became of an order's hold."""
    return str(stage.state.holds[order_id(name)].state)


def restored(stage: Folded) -> Folded:
    """Give a stage with the same tables, filled in another order, as after a restore."""
    again = Folded(stage.stage)
    values = list(stage.tables().values())
    names = [one.name for one in fields(again.state) if one.init]
    for name, table in zip(names, values, strict=True):
        getattr(again.state, name).update(dict(reversed(table.items())))
    return again
