"""How the events of `stock_events` about stock change what is remembered: sub-pools, arrivals, safety levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import msgspec

from pipeline.domain.orders import SkuUnits, SubPool
from pipeline.domain.reservation.balances import apart, balance_of, less, move, summed, transfer
from pipeline.domain.reservation.safety import level_units
from pipeline.domain.reservation.safety import sell as sell_on_day
from pipeline.domain.reservation.values import DAY_MS, Bundle, Flash, Inbound, Safety
from pipeline.domain.stock_events import (
    BundleDefined,
    FlashClosed,
    FlashOpened,
    HotSeller,
    InboundAnnounced,
    InboundClosed,
    ReplenishmentDue,
    SafetySet,
    StockTransferred,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.domain.events import HoldPlaced, StockAdjusted, StockReceived
    from pipeline.domain.reservation.state import State
    from pipeline.domain.stock_events import DividingEvent, HoldConfirmed, HoldRegained

replace = msgspec.structs.replace


def divide(state: State, event: DividingEvent) -> None:
    """Apply an event."""
    match event:
        case StockTransferred() | FlashOpened() | FlashClosed():
            _transfer(state, event)
        case InboundAnnounced():
            state.feeds[f"{event.pool}|{event.feed_id}"] = event.at
            state.inbounds[f"{event.pool}|{event.inbound_id}"] = Inbound(event.warehouse, event.units)
            _transit(state, event.pool, summed(event.units), 1)
            move(state.sub_stock, apart(event.pool, SubPool.PRESALE), event.units, 1, 0)
        case InboundClosed():
            state.feeds[f"{event.pool}|{event.feed_id}"] = event.at
            _come(state, event.pool, event.inbound_id, summed(event.units))
            move(state.sub_stock, apart(event.pool, SubPool.PRESALE), event.units, -1, 0)
        case BundleDefined(pool=pool, sku=sku):
            state.feeds[f"{pool}|{event.feed_id}"] = event.at
            if event.parts:
                state.bundles[f"{pool}|{sku}"] = Bundle(event.parts)
            else:
                state.bundles.pop(f"{pool}|{sku}", None)
        case SafetySet() | ReplenishmentDue() | HotSeller():
            _watch(state, event)
        case _:
            assert_never(event)


def _transfer(state: State, event: StockTransferred | FlashOpened | FlashClosed) -> None:
    pool, key, unit = event.pool, f"{event.pool}|{event.sku}", SkuUnits(event.sku, event.units)
    match event:
        case FlashOpened():
            state.feeds[f"{pool}|{event.flash_id}"] = event.at
            state.flashes[key] = Flash(event.flash_id, event.opens_at, event.closes_at, event.per_buyer_max)
            if state.index.is_built:
                state.index.closings.put(key, (event.closes_at,))
            transfer(state, pool, unit, SubPool.STOCK, SubPool.FLASH)
        case FlashClosed():
            state.flashes.pop(key)
            for buyer in [one for one in state.flash_buyers if one.startswith(f"{key}|")]:
                state.flash_buyers.pop(buyer)
            state.index.closings.drop(key)
            transfer(state, pool, unit, SubPool.FLASH, SubPool.STOCK)
        case StockTransferred():
            if event.feed_id:
                state.feeds[f"{pool}|{event.feed_id}"] = event.at
            transfer(state, pool, unit, event.from_pool, event.to_pool)
            replenish(state, event, (unit,))


# --- goods in transit ---


def arrivals(state: State, pool: str, inbound_id: str, units: Iterable[SkuUnits]) -> dict[str, int]:
    """Give which of units that arrived were announced, by SKU."""
    inbound = state.inbounds.get(f"{pool}|{inbound_id}") if inbound_id else None
    if inbound is None:
        return {}
    announced = summed(inbound.units)
    came = {sku: min(count, announced.get(sku, 0)) for sku, count in summed(units).items()}
    return {sku: count for sku, count in came.items() if count}


def unserved(state: State, pool: str, sku: str) -> int:
    """Give the units of presale that are here already, and not yet with the orders that wait for them."""
    on_hand = balance_of(state, pool, SubPool.PRESALE, sku).on_hand
    return on_hand - state.in_transit.get(f"{pool}|{sku}", 0)


def promised(state: State, pool: str, came: Mapping[str, int]) -> dict[str, int]:
    """Give how many of announced units that came belong to orders that wait for them, by SKU."""
    held = {sku: balance_of(state, pool, SubPool.PRESALE, sku).held for sku in came}
    return {sku: min(count, held[sku] - unserved(state, pool, sku)) for sku, count in came.items()}


def arrive(state: State, event: StockReceived) -> tuple[SkuUnits, ...]:
    """Take what came out of transit, and give what is in stock now: all but what is promised, which stays in presale.

    From there it goes to the orders that wait for it, one by one, as HoldFilled says.
    """
    pool, came = event.pool, arrivals(state, event.pool, event.inbound_id, event.units)
    if not came:
        return event.units
    theirs = promised(state, pool, came)
    _come(state, pool, event.inbound_id, came)
    free = [SkuUnits(sku, count - theirs[sku]) for sku, count in came.items()]
    move(state.sub_stock, apart(pool, SubPool.PRESALE), free, -1, 0)
    return less(event.units, [SkuUnits(sku, count) for sku, count in theirs.items()])


def _come(state: State, pool: str, inbound_id: str, units: Mapping[str, int]) -> None:
    """Take units out of an announced delivery."""
    inbound = state.inbounds[f"{pool}|{inbound_id}"]
    left = less(inbound.units, [SkuUnits(sku, count) for sku, count in units.items()])
    state.inbounds[f"{pool}|{inbound_id}"] = Inbound(inbound.warehouse, left)
    _transit(state, pool, units, -1)


def _transit(state: State, pool: str, units: Mapping[str, int], sign: int) -> None:
    for sku, count in units.items():
        key = f"{pool}|{sku}"
        state.in_transit[key] = state.in_transit.get(key, 0) + sign * count


# --- safety levels ---


def sell(state: State, event: HoldPlaced | HoldRegained | HoldConfirmed, units: Iterable[SkuUnits]) -> None:
    """Count what was sold of the SKUs whose level is watched."""
    for unit in units:
        key = f"{event.pool}|{unit.sku}"
        safety = state.safety.get(key)
        if safety is not None:
            state.safety[key] = sell_on_day(safety, event.at, unit.units)


def replenish(state: State, event: StockReceived | StockAdjusted | StockTransferred, units: Iterable[SkuUnits]) -> None:
    """Note of each SKU that is at its safety level again that nothing is due for it."""
    for unit in units if state.safety else ():
        key = f"{event.pool}|{unit.sku}"
        safety = state.safety.get(key)
        if safety is None or not safety.is_due:
            continue
        balance = balance_of(state, event.pool, SubPool.STOCK, unit.sku)
        if balance.on_hand - balance.held >= level_units(safety, event.at):
            state.safety[key] = replace(safety, is_due=False)


def _watch(state: State, event: SafetySet | ReplenishmentDue | HotSeller) -> None:
    key = f"{event.pool}|{event.sku}"
    match event:
        case SafetySet():
            state.feeds[f"{event.pool}|{event.feed_id}"] = event.at
            known = state.safety.get(key, Safety(0, 0))
            state.safety[key] = replace(known, lead_days=event.lead_days, floor_units=event.floor_units)
        case ReplenishmentDue():
            state.safety[key] = replace(state.safety[key], is_due=True)
        case HotSeller():
            state.safety[key] = replace(state.safety[key], hot_day=event.at // DAY_MS)
