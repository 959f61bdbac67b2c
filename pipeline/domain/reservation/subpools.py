"""How a network's stock is divided: goods in transit, flash sales, what is kept for safety, bundles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain import reasons
from pipeline.domain.orders import SkuUnits, SubPool
from pipeline.domain.reservation.answers import Answers, refused_feed
from pipeline.domain.reservation.balances import balance_of, summed
from pipeline.domain.reservation.serving import serve_free
from pipeline.domain.stock_events import (
    BundleDefined,
    FlashOpened,
    InboundAnnounced,
    InboundClosed,
    StockTransferred,
)

if TYPE_CHECKING:
    from pipeline.domain.reservation.state import State
    from pipeline.domain.stock_commands import (
        AnnounceInbound,
        CloseInbound,
        DefineBundle,
        OpenFlash,
        TransferStock,
    )

WHOLE = SkuUnits("", 0)
"""A feed is wrong as a whole."""
BY_HAND = frozenset({SubPool.STOCK, SubPool.FLASH, SubPool.SAFETY})
"""Presale is what is in transit: only announcements and receipts change it."""


def announce(state: State, command: AnnounceInbound, warehouses: tuple[str, ...]) -> Answers:
    """Take note of goods in transit: so many may be sold as presale."""
    pool, key = command.pool, f"{command.pool}|{command.inbound_id}"
    worst = min(command.units, key=lambda unit: unit.units, default=WHOLE)
    if command.warehouse not in warehouses:
        return (refused_feed(command, worst, reasons.UNKNOWN_WAREHOUSE),)
    if worst.units <= 0:
        return (refused_feed(command, worst, reasons.NOT_POSITIVE),)
    if key in state.inbounds:
        return (refused_feed(command, worst, reasons.KNOWN_INBOUND),)
    units = tuple([SkuUnits(sku, count) for sku, count in sorted(summed(command.units).items())])
    return (
        InboundAnnounced(
            at=command.at,
            pool=pool,
            feed_id=command.feed_id,
            inbound_id=command.inbound_id,
            warehouse=command.warehouse,
            units=units,
        ),
    )


def close_inbound(state: State, command: CloseInbound) -> Answers:
    """Take what will not come out of transit, unless it is promised: then a person must decide who gives way."""
    inbound = state.inbounds.get(f"{command.pool}|{command.inbound_id}")
    if inbound is None:
        return (refused_feed(command, WHOLE, reasons.UNKNOWN_INBOUND),)
    for unit in inbound.units:
        balance = balance_of(state, command.pool, SubPool.PRESALE, unit.sku)
        if unit.units > balance.on_hand - balance.held:
            return (refused_feed(command, SkuUnits(unit.sku, -unit.units), reasons.WOULD_TAKE_HELD_UNITS),)
    return (
        InboundClosed(
            at=command.at,
            pool=command.pool,
            feed_id=command.feed_id,
            inbound_id=command.inbound_id,
            units=inbound.units,
        ),
    )


def transfer(state: State, command: TransferStock) -> Answers:
    """Move free units between sub-pools: what one loses the other gets."""
    at, pool, sku, from_pool, to_pool = command.at, command.pool, command.sku, command.from_pool, command.to_pool
    unit = SkuUnits(sku, command.units)
    if from_pool is to_pool or not {from_pool, to_pool} <= BY_HAND:
        return (refused_feed(command, unit, reasons.NO_TRANSFER),)
    if SubPool.FLASH in {from_pool, to_pool} and f"{pool}|{sku}" not in state.flashes:
        return (refused_feed(command, unit, reasons.FLASH_CLOSED),)
    balance = balance_of(state, pool, from_pool, sku)
    if command.units > balance.on_hand - balance.held:
        return (refused_feed(command, unit, reasons.NOT_FREE),)
    moved = StockTransferred(
        at=at,
        pool=pool,
        feed_id=command.feed_id,
        sku=sku,
        units=command.units,
        from_pool=from_pool,
        to_pool=to_pool,
    )
    return (moved, *(serve_free(state, at, pool, (unit,)) if to_pool is SubPool.STOCK else ()))


def open_flash(state: State, command: OpenFlash) -> Answers:
    """Set free units aside for a flash sale; one of a SKU at a time."""
    pool, sku, unit = command.pool, command.sku, SkuUnits(command.sku, command.units)
    if f"{pool}|{sku}" in state.flashes:
        return (refused_feed(command, unit, reasons.FLASH_OPEN),)
    if command.closes_at <= max(command.opens_at, command.at):
        return (refused_feed(command, unit, reasons.FLASH_OVER),)
    balance = balance_of(state, pool, SubPool.STOCK, sku)
    if command.units > balance.on_hand - balance.held:
        return (refused_feed(command, unit, reasons.NOT_FREE),)
    return (
        FlashOpened(
            at=command.at,
            pool=pool,
            flash_id=command.flash_id,
            sku=sku,
            units=command.units,
            opens_at=command.opens_at,
            closes_at=command.closes_at,
            per_buyer_max=command.per_buyer_max,
        ),
    )


def bundle(state: State, command: DefineBundle) -> Answers:
    """Say what a SKU is made of."""
    worst = min(command.parts, key=lambda part: part.units, default=SkuUnits("", 1))
    if worst.units <= 0:
        return (refused_feed(command, worst, reasons.NOT_POSITIVE),)
    for part in command.parts:
        if part.sku == command.sku or f"{command.pool}|{part.sku}" in state.bundles:
            return (refused_feed(command, part, reasons.NESTED_BUNDLE),)
    parts = tuple([SkuUnits(sku, count) for sku, count in sorted(summed(command.parts).items())])
    return (BundleDefined(at=command.at, pool=command.pool, feed_id=command.feed_id, sku=command.sku, parts=parts),)
