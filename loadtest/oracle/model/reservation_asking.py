"""What reservation must find of what an order asks for: its bundles taken apart, what is free, who bought how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loadtest.oracle.model.reservation_stock import (
    FLASH,
    MAY_SPLIT,
    POOL,
    PRESALE,
    STOCK,
    SUB_POOL,
    UNITS,
    Units,
    balance,
    pairs,
    sums,
    waited_for,
)

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Command, Tables

ASKED_MAX = 10**12


def expand(tables: Tables, pool: str, units: Units) -> Units:
    """Take bundles apart, and sum up by SKU."""
    bundles = tables["bundles"]
    if not any(f"{pool}|{sku}" in bundles for sku, _ in units):
        return units
    parts = [
        (part, times * count) for sku, count in units for part, times in bundles.get(f"{pool}|{sku}", [[[sku, 1]]])[0]
    ]
    return [list(pair) for pair in sorted(sums(parts).items())]


def find(tables: Tables, at: int, pending: list[Any]) -> tuple[Units, Units, bool] | None:
    """Give what to hold, what to wait for, True; or nothing, and whether a SKU is unknown."""
    pool, sub_pool, wanted = pending[POOL], pending[SUB_POOL], pending[UNITS]
    waited = waited_for(tables, is_presale=False) if tables["waits"] else ()
    short: dict[str, int] = {}
    for sku, count in wanted:
        on_hand, held = balance(tables, pool, sub_pool, sku)
        free = on_hand - held
        _, opens, closes, _ = tables["flashes"].get(f"{pool}|{sku}", ("", 0, 0, 0))
        closed = sub_pool == FLASH and not opens <= at < closes
        if sub_pool == "safety" or closed or (sub_pool == STOCK and f"{pool}|{sku}" in waited):
            free = 0
        if count > free:
            short[sku] = count - free
    if not short:
        return ([], wanted, True) if sub_pool == PRESALE else (wanted, [], True)
    if any(
        f"{pool}|{sku}" not in tables["stock"] and f"{pool}|presale|{sku}" not in tables["sub_stock"] for sku in short
    ):
        return [], [], False
    if sub_pool != STOCK or not pending[MAY_SPLIT] or any(count > ASKED_MAX for count in short.values()):
        return None
    now = [[sku, count - short.get(sku, 0)] for sku, count in wanted]
    return [pair for pair in now if pair[1]], pairs(short), True


def limited(tables: Tables, pool: str, units: Units) -> list[tuple[str, int, int]]:
    """Give the units that count for a buyer, and how many one may have: of sales with a limit for each."""
    sales = [(sku, count, tables["flashes"].get(f"{pool}|{sku}", [0])[-1]) for sku, count in units]
    return [sale for sale in sales if sale[2]]


def given(tables: Tables, command: Command, sku: str) -> int:
    """Give how many units of a sale the buyer of an order was given before."""
    units: int = tables["flash_buyers"].get(f"{command['pool']}|{sku}|{command.get('buyer', '')}", 0)
    return units
