"""What an order asks for: bundles taken apart, and each SKU's units found free, waited for, or missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.domain import reasons
from pipeline.domain.orders import SkuUnits, SubPool
from pipeline.domain.reservation.balances import apart, balance_of
from pipeline.domain.reservation.state import ready

if TYPE_CHECKING:
    from pipeline.domain.reservation.state import State

UNITS_ASKED_MAX = 10**12
"""Of one SKU, when all bundles are taken apart: what is beyond is no order."""


class Asked(NamedTuple):
    """What is asked: by whom, from which sub-pool, at what time (ms UTC), all of it now or some of it later."""

    pool: str
    sub_pool: SubPool
    at: int
    units: tuple[SkuUnits, ...]
    may_split: bool
    buyer: str | None = None
    """Who buys, where that counts; None: it was counted before."""


class Found(NamedTuple):
    """What there is: `units` to hold now, `waiting` for the rest; or, with a `reason`, nothing, and what is short."""

    units: tuple[SkuUnits, ...] = ()
    waiting: tuple[SkuUnits, ...] = ()
    reason: str = ""
    short: tuple[SkuUnits, ...] = ()


def expand(state: State, pool: str, units: tuple[SkuUnits, ...]) -> tuple[SkuUnits, ...]:
    """Take bundles apart, and sum up by SKU: two lines with a part in common are checked as one."""
    bundles = state.bundles
    if not bundles or not any(f"{pool}|{unit.sku}" in bundles for unit in units):
        return units
    sums: dict[str, int] = {}
    for unit in units:
        bundle = bundles.get(f"{pool}|{unit.sku}")
        for part in (SkuUnits(unit.sku, 1),) if bundle is None else bundle.parts:
            sums[part.sku] = sums.get(part.sku, 0) + part.units * unit.units
    return tuple([SkuUnits(sku, sums[sku]) for sku in sorted(sums)])


def find(state: State, asked: Asked) -> Found:
    """Find the units of an order, all of them or, where it may be split and goods are to come, some of them."""
    sub_pool = asked.sub_pool
    too_many = _too_many_for_buyer(state, asked)
    if too_many:
        return Found(reason=reasons.TOO_MANY_FOR_ONE_BUYER, short=too_many)
    short = []
    for unit in asked.units:
        free = free_units(state, asked, unit.sku)
        if unit.units > free:
            short.append(SkuUnits(unit.sku, unit.units - free))
    if not short:
        return Found(waiting=asked.units) if sub_pool is SubPool.PRESALE else Found(asked.units)
    if any(not _is_known(state, asked, unit.sku) for unit in short):
        unknown = tuple(unit for unit in short if not _is_known(state, asked, unit.sku))
        return Found(reason=reasons.UNKNOWN_SKU, short=unknown)
    if sub_pool is SubPool.FLASH and not all(_is_open(state, asked, unit.sku) for unit in short):
        return Found(reason=reasons.FLASH_CLOSED, short=tuple(short))
    is_absurd = any(unit.units > UNITS_ASKED_MAX for unit in short)
    if sub_pool is not SubPool.STOCK or not asked.may_split or is_absurd:
        return Found(reason=reasons.SHORTAGE, short=tuple(short))
    waiting = {unit.sku: unit.units for unit in short}
    now = [SkuUnits(unit.sku, unit.units - waiting.get(unit.sku, 0)) for unit in asked.units]
    return Found(tuple([unit for unit in now if unit.units]), tuple(short))


def free_units(state: State, asked: Asked, sku: str) -> int:
    """Give a SKU's units that an order may be given: none of what others wait for, none of what is kept for safety."""
    if asked.sub_pool is SubPool.SAFETY:
        return 0
    if asked.sub_pool is SubPool.STOCK and f"{asked.pool}|{sku}" in ready(state).backorders:
        return 0
    if asked.sub_pool is SubPool.FLASH and not _is_open(state, asked, sku):
        return 0
    balance = balance_of(state, asked.pool, asked.sub_pool, sku)
    return balance.on_hand - balance.held


def limited(state: State, asked: Asked) -> tuple[SkuUnits, ...]:
    """Give the units of an order that count for its buyer: those of flash sales with a limit for each."""
    if asked.sub_pool is not SubPool.FLASH or asked.buyer is None:
        return ()
    flashes = [(unit, state.flashes.get(f"{asked.pool}|{unit.sku}")) for unit in asked.units]
    return tuple([unit for unit, flash in flashes if flash is not None and flash.per_buyer_max])


def _too_many_for_buyer(state: State, asked: Asked) -> tuple[SkuUnits, ...]:
    """Give the units that are more than one buyer is given, what was given before included."""
    found = []
    for unit in limited(state, asked):
        key = f"{asked.pool}|{unit.sku}"
        left = state.flashes[key].per_buyer_max - state.flash_buyers.get(f"{key}|{asked.buyer}", 0)
        if unit.units > left:
            found.append(SkuUnits(unit.sku, unit.units - left))
    return tuple(found)


def _is_open(state: State, asked: Asked, sku: str) -> bool:
    """Say whether a flash sale is on. The time of the order counts, not when a Tick came."""
    flash = state.flashes.get(f"{asked.pool}|{sku}")
    return flash is not None and flash.opens_at <= asked.at < flash.closes_at


def _is_known(state: State, asked: Asked, sku: str) -> bool:
    """Say whether the pool ever had a SKU, or had it announced."""
    return f"{asked.pool}|{sku}" in state.stock or apart(asked.pool, SubPool.PRESALE) + sku in state.sub_stock
