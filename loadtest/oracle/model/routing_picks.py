"""What routing must do on the floor: begin waves, let orders go before others, check what is scanned."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from loadtest.oracle.model import routing_plan
from loadtest.oracle.model.routing_rows import (
    AT,
    IS_OUT,
    POOL,
    PRIORITY,
    ROUTED,
    SAME_CITY,
    SCANNED,
    STAYS,
    WAREHOUSE,
    WAVE,
    Part,
    find,
    is_idle,
    order_of,
    standing,
)

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Answers, Command, Tables

PARTS_PER_LIST = 50


def _waits(tables: Tables, name: str) -> bool:
    return name in tables["floor"] and not tables["floor"][name][WAVE] and is_idle(tables, name)


def expedite(tables: Tables, command: Command, answers: Answers) -> None:
    """Let an order's waiting parts go before others, also those that are on their way to another place."""
    order_id, priority = command["order_id"], command["priority"]
    route, moves = tables["routes"].get(order_id), tables["moves"]
    inside = [part for part in (route[2] if route and route[0] == ROUTED else ()) if part[0] in tables["floor"]]
    hurried = [part for part in inside if part[0] in moves or _waits(tables, part[0])]
    hurried = [part for part in hurried if tables["floor"][part[0]][PRIORITY] < priority]
    if not hurried:
        answers.tell("RouteRepeated", order_id, standing(route))
        return
    answers.tell("RouteExpedited", order_id, standing(route))
    for part in hurried:
        row = tables["floor"][part[0]]
        tables["floor"][part[0]] = [*row[:PRIORITY], priority, *row[SAME_CITY:]]
    for part in [part for part in hurried if part[0] not in moves]:
        hurry(tables, command["pool"], part, priority, answers)


def hurry(tables: Tables, pool: str, part: Part, priority: int, answers: Answers) -> None:
    """Let a part of a high priority wait for no wave."""
    plan = tables["plans"].get(pool)
    limit = plan["express_priority"] if plan and plan["wave_minutes"] else 0
    if limit and priority >= limit and f"{pool}|{part[1]}" not in tables["closures"]:
        _release(tables, [part[0]], "express", answers)


def _release(tables: Tables, names: list[str], wave: str, answers: Answers) -> None:
    for name in names:
        answers.tell("PartReleased", order_of(name), "picking")
        row = tables["floor"][name]
        tables["floor"][name] = [*row[:WAVE], wave, *row[SCANNED:]]
    answers.tell("PickListMade")


def begin_waves(tables: Tables, command: Command, answers: Answers) -> None:
    """Begin the waves that are due."""
    now = routing_plan.china(command["at"])
    for pool, plan in sorted(tables["plans"].items()):
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        starts = [
            midnight + timedelta(days=days, minutes=minute) for days in (-1, 0) for minute in plan["wave_minutes"]
        ]
        begun = [start for start in starts if start <= now]
        for warehouse in tables["warehouses"].get(pool, [[]])[0] if begun else ():
            place = f"{pool}|{warehouse[0]}"
            newest = int(begun[-1].timestamp()) * 1000
            if place not in tables["closures"] and tables["waves"].get(place, 0) < newest:
                tables["waves"][place] = newest
                _begin_wave(tables, (pool, warehouse[0]), begun[-1].strftime("%Y%m%d-%H%M"), answers)


def _begin_wave(tables: Tables, place: tuple[str, str], wave: str, answers: Answers) -> None:
    floor = tables["floor"]
    waiting = [name for name, row in floor.items() if (row[POOL], row[WAREHOUSE]) == place and _waits(tables, name)]
    waiting.sort(key=lambda name: (-floor[name][PRIORITY], not floor[name][SAME_CITY], floor[name][AT], name))
    taken = waiting[: tables["plans"][place[0]]["wave_parts_max"]]
    answers.tell("WaveStarted")
    while taken:
        _release(tables, taken[:PARTS_PER_LIST], wave, answers)
        taken = taken[PARTS_PER_LIST:]


def _may_leave(tables: Tables, command: Command) -> bool:
    row, name = tables["floor"].get(command["fulfilment_id"]), command["fulfilment_id"]
    route = tables["routes"].get(command["order_id"])
    if row is None or route is None or row[POOL] != command["pool"] or row[IS_OUT]:
        return False
    return route[0] == ROUTED and name not in tables["moves"] and find(tables, command["order_id"], name) is not None


def scan(tables: Tables, command: Command, answers: Answers) -> None:
    """Check an item against its part."""
    order_id, name, sku, units = (command[key] for key in ("order_id", "fulfilment_id", "sku", "units"))
    wanted = dict(map(tuple, (find(tables, order_id, name) or [0, 0, []])[2]))
    if not _may_leave(tables, command) or units > wanted.get(sku, -1):
        answers.tell("ScanMismatched", order_id)
        return
    row = tables["floor"][name]
    before = dict(map(tuple, row[SCANNED]))
    if units <= before.get(sku, 0):
        answers.tell("RouteRepeated", order_id, standing(tables["routes"][order_id]))
        return
    answers.tell("ItemScanned", order_id)
    scanned = [list(pair) for pair in sorted((before | {sku: units}).items())]
    tables["floor"][name] = [*row[:SCANNED], scanned, *row[IS_OUT:]]


def scan_out(tables: Tables, command: Command, answers: Answers) -> None:
    """Let a part out, if it may leave and is complete."""
    order_id, name, pool = command["order_id"], command["fulfilment_id"], command["pool"]
    row = tables["floor"].get(name)
    if row is not None and row[IS_OUT] and row[POOL] == pool:
        answers.tell("RouteRepeated", order_id, standing(tables["routes"].get(order_id)))
        return
    part = find(tables, order_id, name) or [0, 0, []]
    is_short = row is not None and sorted(map(tuple, row[SCANNED])) != sorted(map(tuple, part[2]))
    is_checked = row is not None and (
        row[SCANNED] or (pool in tables["plans"] and tables["plans"][pool]["checks_items"])
    )
    if row is None or not _may_leave(tables, command) or (is_short and is_checked):
        answers.tell("ScanMismatched", order_id)
        return
    answers.tell("PartScannedOut", order_id, "outbound")
    answers.ask("ConsumeHold", name, part[2])
    tables["floor"][name] = [*row[:IS_OUT], True, row[STAYS]]
