"""What routing must do. A route: [state, parts, [[part, warehouse, units] …]]; a shelf: [on hand, allocated]."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from loadtest.oracle.model import routing_floor, routing_picks, routing_plan, routing_rows
from loadtest.oracle.model.routing_rows import standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.oracle.model.answers import Answers, Command, Tables

TABLES = (
    *("warehouses", "shelves", "routes", "plans", "products", "loads", "closures"),
    *("floor", "moves", "addresses", "waves", "counts"),
)
ROUTED, FAILED, CANCELLING = "routed", "route_failed", "cancelling"


def fold(tables: Tables, command: Command, answers: Answers) -> None:
    """Answer a command, and move the tables."""
    match command["command"]:
        case "RouteOrder":
            _route(tables, command, answers)
        case "SettleAllocation":
            _settle(tables, command, answers)
        case "CancelRoute":
            _cancel(tables, command, answers)
        case "StockShelf":
            answers.tell("ShelfStocked")
            for sku, count in command["units"]:
                key = f"{command['pool']}|{command['warehouse']}|{sku}"
                on_hand, allocated = tables["shelves"].get(key, (0, 0))
                tables["shelves"][key] = [on_hand + count, allocated]
        case "CountShelf":
            _count(tables, command, answers)
        case "SettleCount":
            _settle_count(tables, command, answers)
        case "Tick" | "ReportStop" | "RedirectRoute" | "ExpediteRoute" | "ScanItem" | "ScanOutbound":
            routing_floor.fold(tables, command, answers)
        case name:
            _fold_network(name, tables, command, answers)


def _fold_network(name: str, tables: Tables, command: Command, answers: Answers) -> None:
    match name:
        case "OpenWarehouse":
            answers.tell("WarehouseOpened")
            _open(tables, command)
            tables["closures"].pop(f"{command['pool']}|{command['warehouse']}", None)
        case "CloseWarehouse":
            answers.tell("WarehouseClosed")
            tables["closures"].setdefault(f"{command['pool']}|{command['warehouse']}", command["at"])
        case "AdoptPlan":
            answers.tell("PlanAdopted")
            tables["plans"][command["pool"]] = command["plan"]
        case "NoteProducts":
            answers.tell("ProductsNoted")
            for known in command["skus"]:
                tables["products"][f"{command['pool']}|{known['sku']}"] = [known["category"], known["grams"]]
        case _:
            raise KeyError(name)


def _route(tables: Tables, command: Command, answers: Answers) -> None:
    order_id, units = command["order_id"], command["units"]
    if order_id in tables["routes"]:
        answers.tell("RouteRepeated", order_id, tables["routes"][order_id][0])
        return
    if not _is_routable(tables, command):
        answers.tell("RouteFailed", order_id, FAILED)
        answers.ask("ReleaseHold", f"{order_id}-0", units)
        tables["routes"][order_id] = [FAILED, 0, []]
        return
    answers.tell("OrderRouted", order_id, ROUTED)
    parts = [routing_rows.remembered(part) for part in answers.parts or ()]
    answers.objections.extend(_objections(tables, command, parts))
    if command["pool"] in tables["plans"]:
        answers.objections.extend(_otherwise(tables, command, answers))
        for _, warehouse, *_ in parts:
            routing_rows.count(tables, command["pool"], warehouse, command["at"])
        routing_floor.enter(tables, command, answers.parts or ())
    for part, warehouse, share, *_ in parts:
        answers.ask("IssueWaybill", part, share)
        for sku, count in share:
            key = f"{command['pool']}|{warehouse}|{sku}"
            on_hand, allocated = tables["shelves"].get(key, (0, 0))
            tables["shelves"][key] = [on_hand, allocated + count]
    tables["routes"][order_id] = [ROUTED, len(parts), parts]
    if command["pool"] in tables["plans"]:
        for part in parts:
            routing_picks.hurry(tables, command["pool"], part, command.get("priority", 0), answers)


def _otherwise(tables: Tables, command: Command, answers: Answers) -> Iterator[str]:
    """Say where a choice under a plan is not the one that the plan makes."""
    parts, scores, objections = routing_plan.choice(tables, command, answers.scores)
    yield from objections
    version = tables["plans"][command["pool"]]["version"]
    if answers.version != version:
        yield f"order {command['order_id']}: routed by plan {answers.version}, in force is {version}"
    for what, wanted, told in (("parts", parts, answers.parts), ("scores", scores, answers.scores)):
        found = [
            {**one, "units": [list(unit) for unit in one["units"]]} if "units" in one else dict(one)
            for one in told or ()
        ]
        if found != wanted:
            yield f"order {command['order_id']}: its {what} are {found}; by plan {version} they are {wanted}"


def _names(tables: Tables, pool: str) -> list[str]:
    return [warehouse[0] for warehouse in tables["warehouses"].get(pool, [[]])[0]]


def _free(tables: Tables, pool: str, warehouse: str, sku: str) -> int:
    on_hand, allocated = tables["shelves"].get(f"{pool}|{warehouse}|{sku}", (0, 0))
    return int(max(0, on_hand - allocated))


def _is_routable(tables: Tables, command: Command) -> bool:
    """Say whether all warehouses together have what an order wants."""
    pool, names = command["pool"], _names(tables, command["pool"])
    return bool(command["units"]) and all(
        sum(_free(tables, pool, name, sku) for name in names) >= count for sku, count in command["units"]
    )


def _objections(tables: Tables, command: Command, parts: list[list[Any]]) -> Iterator[str]:
    """Say what is wrong with a route."""
    order_id, pool, names = command["order_id"], command["pool"], _names(tables, command["pool"])
    routed: Counter[str] = Counter()
    taken: Counter[tuple[str, str]] = Counter()
    for number, (part, warehouse, share, *_) in enumerate(parts, 1):
        if part != f"{order_id}-{number}" or warehouse not in names:
            yield f"order {order_id}: part {part} from warehouse {warehouse}, which is none of the pool's"
        for sku, count in share:
            routed[sku] += count
            taken[warehouse, sku] += count
            if taken[warehouse, sku] > _free(tables, pool, warehouse, sku):
                yield f"order {order_id}: part {part} takes {count} of SKU {sku}, more than are free in {warehouse}"
    if sorted(routed.items()) != sorted((sku, count) for sku, count in command["units"]):
        yield f"order {order_id}: its parts have other units than were asked for"
    elif (told := list(map(routing_rows.money_of, parts))) != (due := routing_plan.money_due(parts, command)):
        yield f"order {order_id}: its parts are worth {told}, it must be {due}"


def _settle(tables: Tables, command: Command, answers: Answers) -> None:
    order_id, settled = command["order_id"], command["fulfilment_id"]
    route = tables["routes"].get(order_id)
    part = next((part for part in route[2] if part[0] == settled), None) if route else None
    if route is None or part is None:
        answers.tell("RouteRepeated", order_id, standing(route))
        if command["shipped"] and command.get("warehouse"):
            answers.tell("ShelfStocked", order_id)
            for sku, count in command["units"]:
                key = f"{command['pool']}|{command['warehouse']}|{sku}"
                on_hand, allocated = tables["shelves"].get(key, (0, 0))
                tables["shelves"][key] = [on_hand - count, allocated]
        return
    answers.tell("AllocationSettled", order_id, "shipped" if command["shipped"] else "freed")
    tables["routes"][order_id] = [route[0], route[1], [other for other in route[2] if other is not part]]
    routing_floor.leave(tables, command["pool"], part)
    if len(route[2]) == 1:
        tables["addresses"].pop(order_id, None)
    for sku, count in part[2]:
        key = f"{command['pool']}|{part[1]}|{sku}"
        on_hand, allocated = tables["shelves"].get(key, (0, 0))
        tables["shelves"][key] = [on_hand - count if command["shipped"] else on_hand, allocated - count]


def _count(tables: Tables, command: Command, answers: Answers) -> None:
    """Compare a count with what the shelf may hold, corrections on their way included: routed units may be gone."""
    pool, warehouse, sku, found = (command[name] for name in ("pool", "warehouse", "sku", "counted_units"))
    if f"{pool}|{command['feed_id']}" in tables["counts"]:
        answers.tell("RouteRepeated")
        return
    answers.tell("ShelfCounted")
    on_hand, allocated = tables["shelves"].get(f"{pool}|{warehouse}|{sku}", (0, 0))
    for key, count in tables["counts"].items():
        on_hand += count[2] if [key.partition("|")[0], *count[:2]] == [pool, warehouse, sku] else 0
    wrong = found - max(on_hand - allocated, min(found, on_hand))
    if wrong:
        answers.ask("CorrectStock", f"{pool}|{warehouse}", [[sku, wrong]])
        tables["counts"][f"{pool}|{command['feed_id']}"] = [warehouse, sku, wrong]


def _settle_count(tables: Tables, command: Command, answers: Answers) -> None:
    count = tables["counts"].pop(f"{command['pool']}|{command['feed_id']}", None)
    if count is None:
        answers.tell("RouteRepeated")
        return
    answers.tell("CountSettled")
    if command["applied"]:
        key = f"{command['pool']}|{count[0]}|{count[1]}"
        on_hand, allocated = tables["shelves"].get(key, (0, 0))
        tables["shelves"][key] = [on_hand + count[2], allocated]


def _cancel(tables: Tables, command: Command, answers: Answers) -> None:
    order_id = command["order_id"]
    route = tables["routes"].get(order_id)
    inside = [part for part in (route[2] if route else ()) if not routing_rows.is_out(tables, part[0])]
    if route is None or route[0] != ROUTED or not inside:
        answers.tell("RouteRepeated", order_id, standing(route))
        return
    answers.tell("CancelRequested", order_id, CANCELLING)
    for part, _, share, *_ in inside:
        if part not in tables["moves"]:
            answers.ask("CancelFulfilment", part, share)
    tables["routes"][order_id] = [CANCELLING, *route[1:]]


def _open(tables: Tables, command: Command) -> None:
    opened = [command["warehouse"], command["latitude"], command["longitude"]]
    known = tables["warehouses"].get(command["pool"], [[]])[0]
    if any(warehouse[0] == opened[0] for warehouse in known):
        known = [opened if warehouse[0] == opened[0] else warehouse for warehouse in known]
    else:
        known = [*known, opened]
    tables["warehouses"][command["pool"]] = [known]
