"""What routing must do with parts that are routed: send them again, pick them, scan them.

A move: [the parts that take the old one's place, reason].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loadtest.oracle.model import routing_picks, routing_plan
from loadtest.oracle.model.routing_rows import (
    AT,
    POOL,
    PRIORITY,
    ROUTED,
    STAYS,
    WAREHOUSE,
    Part,
    allocate,
    count,
    find,
    is_idle,
    money_of,
    order_of,
    remembered,
    standing,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtest.oracle.model.answers import Answers, Command, Tables

STEP, TIMES_MAX = 10_000, 9
PLACES = 100
MOVES_PER_TICK, LOOKED_AT_PER_TICK = 200, 2000
CLOSED, NEW_ADDRESS = "WAREHOUSE_CLOSED", "ADDRESS_CHANGED"
OF_THE_WAY = frozenset({"deliver_by", "same_city"})
"""What a part's new address decides."""


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
        tables["floor"][part["fulfilment_id"]] = _row(command["pool"], command["at"], part)
    tables["addresses"][command["order_id"]] = command["ship_to"]


def _row(pool: str, at: int, part: Mapping[str, Any]) -> list[Any]:
    """Give the row of a part that waits to be picked."""
    return [pool, part["warehouse"], at, part.get("priority", 0), part.get("same_city", False), "", [], False, False]


def leave(tables: Tables, pool: str, part: Part) -> None:
    """Take a settled part off the floor, and give back what was allocated for it elsewhere."""
    tables["floor"].pop(part[0], None)
    _give_up_move(tables, pool, part)


def _give_up_move(tables: Tables, pool: str, part: Part) -> None:
    _reserve(tables, pool, part, tables["moves"].pop(part[0], [[]])[0], -1)


def _reserve(tables: Tables, pool: str, old: Part, new: Sequence[Mapping[str, Any]], sign: int) -> None:
    """Bind, or (-1) free, what a part's successors take in other warehouses than its own."""
    for part in new:
        if part["warehouse"] != old[1]:
            allocate(tables, pool, part["warehouse"], part["units"], sign)


def _again(name: str, parts: int = 1) -> list[str]:
    """Give the ids of a part's successors: its number, how often it was sent again, and which of several they are.

    The decimal places of a number: four of the first route, one of the times, then two for each time.
    """
    number = name.rpartition("-")[2].rjust(5, "0")
    times, places = int(number[-5]), number[:-5].rjust(2 * TIMES_MAX, "0")
    if times == TIMES_MAX or parts > PLACES:
        return []
    before, after = places[: 2 * (TIMES_MAX - times - 1)], places[2 * (TIMES_MAX - times) :]
    return [f"{order_of(name)}-{int(f'{before}{place:02}{after}{times + 1}{number[-4:]}')}" for place in range(parts)]


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
    """Begin to send a part from other warehouses, where they have all of it."""
    order_id, row = order_of(name), tables["floor"][name]
    if not is_idle(tables, name) or order_id not in tables["addresses"]:
        return False
    part = find(tables, order_id, name) or ["", "", [], [], 0]
    asked = {"order_id": order_id, "pool": row[POOL], "units": part[2], "at": at, "priority": row[PRIORITY]}
    asked["ship_to"] = tables["addresses"][order_id]
    asked |= money_of(part)
    again, scores, objections = routing_plan.elsewhere(tables, asked, body.get("scores", ()))
    names = _again(name, len(again)) if again else []
    if not names:
        return False
    again = [{**new, "fulfilment_id": number} for new, number in zip(again, names, strict=True)]
    answers.objections.extend(objections)
    if _plain(body) != again or list(body.get("scores", ())) != scores:
        answers.objections.append(f"part {name}: sent again as {body}; it must be as {again}, by {scores}")
    answers.tell("RerouteStarted", order_id, "rerouting")
    answers.ask("CancelFulfilment", name, part[2])
    tables["moves"][name] = [again, CLOSED]
    _reserve(tables, row[POOL], part, again, 1)
    return True


def _plain(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the new parts that an event tells, with lists for all that is several."""
    found = []
    for part in body.get("new_parts", ()):
        values = {"values_minor": list(part["values_minor"])} if "values_minor" in part else {}
        found.append({**part, "units": [list(unit) for unit in part["units"]]} | values)
    return found


def _report(tables: Tables, command: Command, answers: Answers) -> None:
    order_id, pool, name = command["order_id"], command["pool"], command["fulfilment_id"]
    route, move = tables["routes"].get(order_id), tables["moves"].get(name)
    part = find(tables, order_id, name)
    if route is None or move is None or part is None:
        answers.tell("RouteRepeated", order_id, standing(route))
        return
    if not command["stopped"] or route[0] != ROUTED:
        answers.tell("RerouteAbandoned", order_id, "freed" if command["stopped"] else "left")
        _give_up_move(tables, pool, part)
        if command["stopped"]:
            answers.ask("ReleaseHold", name, part[2])
        elif name in tables["floor"]:
            tables["floor"][name] = [*tables["floor"][name][:STAYS], True]
        if not command["stopped"] and move[1] == NEW_ADDRESS:
            answers.tell("AddressChangeRefused", order_id)
        return
    _go_on(tables, command, part, answers)


def _go_on(tables: Tables, command: Command, part: Part, answers: Answers) -> None:
    """Let a part's successors take its place, in its queue too: what waits for no wave is picked at once."""
    order_id, pool, name = command["order_id"], command["pool"], command["fulfilment_id"]
    route, move = tables["routes"][order_id], tables["moves"].pop(name)
    answers.tell("PartRerouted", order_id, "allocated")
    row, place, successors = tables["floor"].pop(name, None), route[2].index(part), []
    for new in move[0]:
        answers.ask("IssueWaybill", new["fulfilment_id"], new["units"])
        successors.append(remembered(new))
        if row is not None:
            tables["floor"][new["fulfilment_id"]] = _row(pool, row[AT], {**new, "priority": row[PRIORITY]})
        if new["warehouse"] != part[1]:
            count(tables, pool, new["warehouse"], command["at"])
    outstanding = [*route[2][:place], *successors, *route[2][place + 1 :]]
    tables["routes"][order_id] = [route[0], route[1] + len(successors) - 1, outstanding]
    if any(new["warehouse"] != part[1] for new in move[0]):
        allocate(tables, pool, part[1], part[2], -1)
    for successor in successors if row is not None else ():
        routing_picks.hurry(tables, pool, successor, row[PRIORITY], answers)


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
    told = {body["fulfilment_id"]: body for body in answers.rerouted}
    for part in route[2]:
        name, warehouse, units = part[:3]
        if name in tables["moves"]:
            continue
        if not _again(name) or not is_idle(tables, name):
            answers.tell("AddressChangeRefused", order_id)
            continue
        answers.tell("RerouteStarted", order_id, "rerouting")
        answers.ask("CancelFulfilment", name, units)
        found = _plain(told.get(name, {}))
        kept = {"fulfilment_id": _again(name)[0], "warehouse": warehouse, "units": units}
        kept |= money_of(part) | _priority(tables, name)
        if [{key: one for key, one in part.items() if key not in OF_THE_WAY} for part in found] != [kept]:
            answers.objections.append(f"part {name}: goes to its new address as {found}, it must be as {kept}")
        tables["moves"][name] = [found, NEW_ADDRESS]


def _priority(tables: Tables, name: str) -> dict[str, Any]:
    """Give the priority that a part keeps where it goes to; known under a plan only."""
    row = tables["floor"].get(name)
    known = row is not None and row[POOL] in tables["plans"] and row[PRIORITY]
    return {"priority": known} if known else {}
