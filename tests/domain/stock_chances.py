"""A network at work, by chance: orders of every kind and what becomes of them, over few names, so that they meet."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pipeline.domain.commands import (
    AdjustStock,
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
from pipeline.domain.order_commands import ExpediteHold, ReplaceAddress, TrimHold
from pipeline.domain.orders import SkuUnits, SubPool
from pipeline.domain.reservation.values import DAY_MS
from pipeline.domain.stock_commands import (
    AnnounceInbound,
    CloseInbound,
    CorrectStock,
    CountStock,
    DecideHold,
    DefineBundle,
    OpenFlash,
    SetSafety,
    TransferStock,
)
from tests.domain.orders import HOUR_MS, NOON, POOL, SHIP_TO

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

SKUS = ("X", "Y", "B")
STEP_MS = 5 * 60_000
RECENT_ORDERS = 6


def beginning() -> list[Command]:
    """Open a warehouse with something in it, and define a bundle."""
    return [
        RegisterWarehouse(at=NOON, pool=POOL, feed_id="open", warehouse="w", latitude=30, longitude=120),
        ReceiveStock(at=NOON, pool=POOL, feed_id="begin", warehouse="w", units=(SkuUnits("X", 19), SkuUnits("Y", 19))),
        DefineBundle(at=NOON, pool=POOL, feed_id="bundle", sku="B", parts=(SkuUnits("X", 1), SkuUnits("Y", 1))),
    ]


def chances(chance: random.Random, steps: int) -> Iterator[Command]:
    """Give so many commands. Most are about one of the last few orders; time goes on with some of them."""
    at, orders = NOON, deque(("0" * 32,), RECENT_ORDERS)
    for step in range(steps):
        at += chance.choice((0, 0, 0, STEP_MS, 2 * STEP_MS)) if chance.random() < 0.98 else DAY_MS
        kind = chance.random()
        if kind < 0.25:
            placed = _place(chance, at, step)
            orders.append(placed.order_id)
            yield placed
        elif kind < 0.7:
            yield _about(chance, at, chance.choice(orders), step)
        elif kind < 0.77:
            yield Tick(at=at)
        else:
            yield _feed(chance, at, step)


def _units(chance: random.Random, count_max: int = 4) -> tuple[SkuUnits, ...]:
    skus = sorted(chance.sample(SKUS, chance.choice((1, 1, 2))))
    return tuple(SkuUnits(sku, chance.randint(1, count_max)) for sku in skus)


def _place(chance: random.Random, at: int, step: int) -> PlaceHold:
    units = _units(chance)
    return PlaceHold(
        at=at,
        pool=POOL,
        order_id=f"{step:032x}",
        units=units,
        ship_to=SHIP_TO,
        sub_pool=chance.choice((*3 * (SubPool.STOCK,), *2 * (SubPool.FLASH,), *SubPool)),
        may_split=chance.random() < 0.6,
        priority=chance.choice((0, 0, 1, 5)),
        expires_at=at + HOUR_MS if chance.random() < 0.3 else None,
        stock_gate=chance.choice(("", "gate@1")),
        values_minor=tuple(100 for _ in units) if chance.random() < 0.5 else (),
        paid_minor=chance.randint(0, 3),
        paid_at=chance.choice((0, at - STEP_MS, at - 5 * HOUR_MS)),
        buyer=chance.choice(("", "ann", "bob")),
    )


def _about(chance: random.Random, at: int, order_id: str, step: int) -> Command:
    units, fulfilment_id = _units(chance, 3), f"{order_id}-{chance.randint(1, 3)}"
    return chance.choice(
        (
            *2 * (ConfirmHold(at=at, pool=POOL, order_id=order_id, paid_minor=1),),
            DecideHold(at=at, pool=POOL, order_id=order_id, reviewer="ann", approve=chance.random() < 0.7),
            CancelHold(at=at, pool=POOL, order_id=order_id, reason="buyer"),
            TrimHold(at=at, pool=POOL, order_id=order_id, units=units, reason="buyer", trim_id=f"t{step % 3}"),
            ExpediteHold(at=at, pool=POOL, order_id=order_id, priority=chance.randint(0, 9)),
            ReplaceAddress(at=at, pool=POOL, order_id=order_id, ship_to=SHIP_TO),
            ConsumeHold(at=at, pool=POOL, order_id=order_id, fulfilment_id=fulfilment_id, units=units[:1]),
            ConsumeHold(
                at=at, pool=POOL, order_id=order_id, fulfilment_id=fulfilment_id, units=units, warehouse="w"[step % 3 :]
            ),
            ReleaseHold(
                at=at, pool=POOL, order_id=order_id, fulfilment_id=fulfilment_id, units=units[:1], reason="buyer"
            ),
        )
    )


def _count(at: int, feed_id: str, sku: str, step: int) -> Command:
    """Give a count, or the correction that one asked for."""
    if step % 2:
        return CountStock(
            at=at, pool=POOL, feed_id=feed_id, warehouse="wv"[step % 4 // 3], sku=sku, counted_units=step % 9
        )
    change = step % 7 - 3
    return CorrectStock(at=at, pool=POOL, feed_id=feed_id, count_id="c", warehouse="w", sku=sku, change_units=change)


def _feed(chance: random.Random, at: int, step: int) -> Command:
    feed_id, sku = str(step - chance.choice((0, 0, 0, 5))), chance.choice(SKUS)
    sub_pools = (SubPool.STOCK, SubPool.STOCK, SubPool.SAFETY, SubPool.FLASH, SubPool.PRESALE)
    from_pool, to_pool = chance.choice(sub_pools), chance.choice(sub_pools)
    inbound_id, lines = f"i{chance.randint(max(0, step - 40), step) // 20}", _units(chance, 8)
    return chance.choice(
        (
            ReceiveStock(at=at, pool=POOL, feed_id=feed_id, warehouse="w", units=_units(chance, 9)),
            ReceiveStock(at=at, pool=POOL, feed_id=feed_id, warehouse="w", units=_units(chance, 9)),
            ReceiveStock(at=at, pool=POOL, feed_id=feed_id, warehouse="w", units=lines, inbound_id=inbound_id),
            ReceiveStock(at=at, pool=POOL, feed_id=feed_id, warehouse="w", units=lines, inbound_id=inbound_id),
            AdjustStock(
                at=at,
                pool=POOL,
                feed_id=feed_id,
                warehouse=chance.choice("wv"),
                sku=sku,
                change_units=chance.randint(-5, 5),
                reason="counted",
            ),
            _count(at, feed_id, sku, step),
            AnnounceInbound(at=at, pool=POOL, feed_id=feed_id, inbound_id=inbound_id, warehouse="w", units=lines),
            AnnounceInbound(at=at, pool=POOL, feed_id=feed_id, inbound_id=inbound_id, warehouse="w", units=lines),
            CloseInbound(at=at, pool=POOL, feed_id=feed_id, inbound_id=inbound_id),
            TransferStock(at=at, pool=POOL, feed_id=feed_id, sku=sku, units=1, from_pool=from_pool, to_pool=to_pool),
            OpenFlash(
                at=at,
                pool=POOL,
                flash_id=feed_id,
                sku=sku,
                units=chance.randint(1, 5),
                opens_at=at,
                closes_at=at + chance.choice((0, HOUR_MS // 2, 3 * HOUR_MS)),
                per_buyer_max=chance.choice((0, 0, 3)),
            ),
            DefineBundle(at=at, pool=POOL, feed_id=feed_id, sku=chance.choice("BC"), parts=_units(chance)[:1]),
            SetSafety(at=at, pool=POOL, feed_id=feed_id, sku=sku, lead_days=1, floor_units=chance.randint(0, 4)),
        )
    )
