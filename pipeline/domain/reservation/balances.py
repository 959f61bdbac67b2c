"""Balances: units come and go, and are held; never more than there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain.errors import InvariantError
from pipeline.domain.orders import SkuUnits, SubPool
from pipeline.domain.reservation.values import EMPTY, Balance

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from pipeline.domain.reservation.state import State


def move(
    balances: MutableMapping[str, Balance], prefix: str, units: Iterable[SkuUnits], on_hand: int, held: int
) -> None:
    """Move units: `on_hand` and `held` say by which multiple of each. Raises InvariantError for what cannot be."""
    for unit in units:
        key, count = prefix + unit.sku, unit.units
        before = balances.get(key, EMPTY)
        after = Balance(before.on_hand + on_hand * count, before.held + held * count)
        if not 0 <= after.held <= after.on_hand:
            message = f"{key}: {after.held} units held of {after.on_hand}, before it were {before}"
            raise InvariantError(message)
        balances[key] = after


def apart(pool: str, sub_pool: SubPool) -> str:
    """Give the key of a sub-pool's balances, but for the SKU. What is in stock has a table of its own."""
    return f"{pool}|{sub_pool}|"


def balance_of(state: State, pool: str, sub_pool: SubPool, sku: str) -> Balance:
    """Give a SKU's balance in a sub-pool."""
    if sub_pool is SubPool.STOCK:
        return state.stock.get(f"{pool}|{sku}", EMPTY)
    return state.sub_stock.get(apart(pool, sub_pool) + sku, EMPTY)


def transfer(state: State, pool: str, unit: SkuUnits, from_pool: SubPool, to_pool: SubPool) -> None:
    """Move free units from one sub-pool to another: what one loses the other gets."""
    for sub_pool, sign in ((from_pool, -1), (to_pool, 1)):
        if sub_pool is SubPool.STOCK:
            move(state.stock, f"{pool}|", (unit,), sign, 0)
        else:
            move(state.sub_stock, apart(pool, sub_pool), (unit,), sign, 0)


def summed(units: Iterable[SkuUnits]) -> dict[str, int]:
    """Sum units by SKU."""
    sums: dict[str, int] = {}
    for unit in units:
        sums[unit.sku] = sums.get(unit.sku, 0) + unit.units
    return sums


def less(units: Iterable[SkuUnits], gone: Iterable[SkuUnits]) -> tuple[SkuUnits, ...]:
    """Take units from others, and give what is left of each SKU. Raises InvariantError for more than there are."""
    left = summed(units)
    for unit in gone:
        left[unit.sku] = left.get(unit.sku, 0) - unit.units
        if left[unit.sku] < 0:
            message = f"{unit.units} units of {unit.sku} are taken from {units}"
            raise InvariantError(message)
    return tuple([SkuUnits(sku, count) for sku, count in left.items() if count])
