"""What routing must do with parts that are routed: send them again, pick them, scan them.

A move: [its new id, warehouse, reason, deliver by, same city].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loadtest.oracle.model import routing_picks, routing_plan
from loadtest.oracle.model.routing_rows import (
    AT,
    PAID,
    POOL,
    PRIORITY,
    ROUTED,
    SAME_CITY,
    STAYS,
    VALUE,
    WAREHOUSE,
    Part,
    allocate,
    count,
    find,
    is_idle,
    order_of,
    standing,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtest.oracle.model.answers import Answers, Command, Tables

STEP, TIMES_MAX = 10_000, 9
MOVES_PER_TICK, LOOKED_AT_PER_TICK = 200, 2000
CLOSED, NEW_ADDRESS = "WAREHOUSE_CLOSED", "ADDRESS_CHANGED"


def fold(tables: Tables, command: Command, answers: Answers) -> None:
    """Answer a command about routed parts, and move the tables."""
    match command["command"]:
        case "Tick":
            _leave_closed_warehouses(tables, command, answers)
            routing_picks.begin_waves(tables, command, answers)
        case "ReportStop":
            _report(tables, command, answers)
        case "RedirectRoute":
            _redirect(tables, command, answers)
        case "ExpediteRoute":
            routing_picks.expedite(tables, command, answers)
        case name:
            {"ScanItem": routing_picks.scan, "ScanOutbound": routing_picks.scan_out}[name](tables, command, answers)


def enter(tables: Tables, command: Command, parts: Sequence[Mapping[str, Any]]) -> None:
    """Put an order's parts on the floor, and keep its address."""
    for part in parts:
        told = [part.get(name, 0) for name in ("priority", "same_city", "value_minor", "paid_minor")]
        told[1] = bool(told[1])
        row = [command["pool"], part["warehouse"], command["at"], *told, "", [], False, False]
        tables["floor"][part["fulfilment_id"]] = row
    tables["addresses"][command["order_id"]] = command["ship_to"]


def leave(tables: Tables, pool: str, part: Part) -> None:
    """Take a settled part off the floor, and give back what was allocated for it elsewhere."""
    tables["floor"].pop(part[0], None)
    _give_up_move(tables, pool, part)


def _give_up_move(tables: Tables, pool: str, part: Part) -> None:
    move = tables["moves"].pop(part[0], None)
    if move is not None and move[1] != part[1]:
        allocate(tables, pool, move[1], part[2], -1)


def _again(name: str) -> str | None:
    number = int(name.rpartition("-")[2])
    return f"{order_of(name)}-{number + STEP}" if number // STEP < TIMES_MAX else None


def _leave_closed_warehouses(tables: Tables, command: Command, answers: Answers) -> None:
    begun, at = 0, command["at"]
    told = {body["fulfilment_id"]: body for body in answers.rerouted}
    for place in sorted(tables["closures"]):
        pool, warehouse = place.split("|")
        inside = [name for name, row in tables["floor"].items() if (row[POOL], row[WAREHOUSE]) == (pool, warehouse)]
        inside.sort(key=lambda name: (-tables["floor"][name][PRIORITY], tables["floor"][name][AT], name))
        if len(inside) > LOOKED_AT_PER_TICK:
            begin = at // 1000 * LOOKED_AT_PER_TICK % len(inside)
            inside = (inside[begin:] + inside[:begin])[:LOOKED_AT_PER_TICK]
        for name in inside if pool in tables["plans"] else ():
            if begun < MOVES_PER_TICK and _move_away(tables, name, at, answers, told.get(name, {})):
                begun += 1


def _move_away(tables: Tables, name: str, at: int, answers: Answers, body: Mapping[str, Any]) -> bool:
    """Begin to send a part from another warehouse, where one has all of it."""
    order_id, row, number = order_of(name), tables["floor"][name], _again(name)
    if not is_idle(tables, name) or order_id not in tables["addresses"] or number is None:
        return False
    part = find(tables, order_id, name) or []
    asked = {"order_id": order_id, "pool": row[POOL], "units": part[2], "at": at, "priority": row[PRIORITY]}
    asked["ship_to"] = tables["addresses"][order_id]
    site, scores, objections = routing_plan.elsewhere(tables, asked, body.get("scores", ()))
    if site is None:
        return False
    answers.objections.extend(objections)
    wanted = {"value_minor": row[VALUE], "paid_minor": row[PAID], "priority": row[PRIORITY]}
    wanted |= {"deliver_by": site["deliver_by"], "same_city": site["same_city"]}
    again = {"fulfilment_id": number, "warehouse": site["name"], "units": part[2]}
    again |= {key: value for key, value in wanted.items() if value}
    found = _plain(body.get("part", {}))
    if found != again or list(body.get("scores", ())) != scores:
        answers.objections.append(f"part {name}: sent again as {body}; it must be as {again}, by {scores}")
    answers.tell("RerouteStarted", order_id, "rerouting")
    answers.ask("CancelFulfilment", name, part[2])
    tables["moves"][name] = [number, site["name"], CLOSED, site["deliver_by"], site["same_city"]]
    allocate(tables, row[POOL], site["name"], part[2], 1)
    return True


def _plain(part: Mapping[str, Any]) -> dict[str, Any]:
    return {**part, "units": [list(unit) for unit in part.get("units", ())]}


def _report(tables: Tables, command: Command, answers: Answers) -> None:
    order_id, pool, name = command["order_id"], command["pool"], command["fulfilment_id"]
    route, move = tables["routes"].get(order_id), tables["moves"].get(name)
    if route is None or move is None:
        answers.tell("RouteRepeated", order_id, standing(route))
        return
    part = find(tables, order_id, name) or []
    if not command["stopped"] or route[0] != ROUTED:
        answers.tell("RerouteAbandoned", order_id, "freed" if command["stopped"] else "left")
        _give_up_move(tables, pool, part)
        if command["stopped"]:
            answers.ask("ReleaseHold", name, part[2])
        elif name in tables["floor"]:
            tables["floor"][name] = [*tables["floor"][name][:STAYS], True]
        if not command["stopped"] and move[2] == NEW_ADDRESS:
            answers.tell("AddressChangeRefused", order_id)
        return
    answers.tell("PartRerouted", order_id, "allocated")
    answers.ask("IssueWaybill", move[0], part[2])
    del tables["moves"][name]
    place = route[2].index(part)
    others = [move[0], move[1], part[2]]
    tables["routes"][order_id] = [*route[:2], [*route[2][:place], others, *route[2][place + 1 :]]]
    if (row := tables["floor"].pop(name, None)) is not None:
        tables["floor"][move[0]] = [
            pool,
            move[1],
            *row[AT:SAME_CITY],
            move[4],
            row[VALUE],
            row[PAID],
            "",
            [],
            False,
            False,
        ]
    if move[1] != part[1]:
        allocate(tables, pool, part[1], part[2], -1)
        count(tables, pool, move[1], command["at"])


def _redirect(tables: Tables, command: Command, answers: Answers) -> None:
    order_id = command["order_id"]
    route = tables["routes"].get(order_id)
    if route is None or route[0] != ROUTED or not route[2]:
        answers.tell("AddressChangeRefused", order_id, standing(route))
        return
    if tables["addresses"].get(order_id) == command["ship_to"]:
        answers.tell("RouteRepeated", order_id, standing(route))
        return
    tables["addresses"][order_id] = command["ship_to"]
    told = {body["fulfilment_id"]: body["part"] for body in answers.rerouted}
    for name, warehouse, units in route[2]:
        number, part = _again(name), told.get(name, {})
        if name in tables["moves"]:
            continue
        if number is None or not is_idle(tables, name):
            answers.tell("AddressChangeRefused", order_id)
            continue
        answers.tell("RerouteStarted", order_id, "rerouting")
        answers.ask("CancelFulfilment", name, units)
        if (part.get("fulfilment_id"), part.get("warehouse")) != (number, warehouse):
            answers.objections.append(f"part {name}: goes to its new address as {part}")
        tables["moves"][name] = [
            *(number, warehouse, NEW_ADDRESS),
            *(part.get("deliver_by", 0), part.get("same_city", False)),
        ]
