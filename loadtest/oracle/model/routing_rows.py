"""The rows of routing's tables about parts, and what both halves of its model ask of them.

An outstanding part: [fulfilment id, warehouse, units, values, paid].
On the floor: [pool, warehouse, at, priority, same city, wave, scanned, is out, stays].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loadtest.oracle.model import routing_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadtest.oracle.model.answers import Tables

POOL, WAREHOUSE, AT, PRIORITY, SAME_CITY, WAVE, SCANNED, IS_OUT, STAYS = range(9)
ROUTED = "routed"
Part = list[Any]


def remembered(part: Mapping[str, Any]) -> Part:
    """Give the row of a part that an event tells of."""
    units, values = [list(unit) for unit in part["units"]], list(part.get("values_minor", ()))
    return [part["fulfilment_id"], part["warehouse"], units, values, part.get("paid_minor", 0)]


def money_of(part: Part) -> dict[str, Any]:
    """Give what a part's units are worth, and what was paid for them, as a command or an event says it."""
    told = {"values_minor": part[3], "paid_minor": part[4]}
    return {key: value for key, value in told.items() if value}


def standing(route: list[Any] | None) -> str:
    """Say where an order stands."""
    if route is None:
        return "no route"
    return "settled" if route[1] and not route[2] else str(route[0])


def count(tables: Tables, pool: str, warehouse: str, at: int) -> None:
    """Count a part in its warehouse's day."""
    day = (routing_plan.china(at).date() - routing_plan.EPOCH.date()).days
    newest, number = tables["loads"].get(f"{pool}|{warehouse}", (0, 0))
    tables["loads"][f"{pool}|{warehouse}"] = [day, 1] if day > newest else [newest, number + 1]


def is_out(tables: Tables, name: str) -> bool:
    """Say whether a part was scanned out."""
    return name in tables["floor"] and bool(tables["floor"][name][IS_OUT])


def allocate(tables: Tables, pool: str, warehouse: str, units: list[list[Any]], sign: int) -> None:
    """Bind units to a warehouse, or (-1) free them."""
    for sku, number in units:
        on_hand, allocated = tables["shelves"].get(f"{pool}|{warehouse}|{sku}", (0, 0))
        tables["shelves"][f"{pool}|{warehouse}|{sku}"] = [on_hand, allocated + sign * number]


def find(tables: Tables, order_id: str, name: str) -> Part | None:
    """Give an outstanding part of an order."""
    return next((part for part in tables["routes"].get(order_id, ["", 0, []])[2] if part[0] == name), None)


def order_of(name: str) -> str:
    """Give the order that a part is of."""
    return name.rpartition("-")[0]


def is_idle(tables: Tables, name: str) -> bool:
    """Say whether a part lies in its warehouse, and nobody is after it."""
    route, row = tables["routes"].get(order_of(name)), tables["floor"].get(name)
    gone = row is not None and (row[IS_OUT] or row[STAYS])
    return route is not None and route[0] == ROUTED and name not in tables["moves"] and not gone
