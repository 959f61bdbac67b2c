"""What reservation must do with what warehouses and planners say. A feed id counts once, refused or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.oracle.model.reservation_stock import (
    FLASH,
    PRESALE,
    STOCK,
    balance,
    change,
    pairs,
    restock,
    serve,
    sums,
)

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Answers, Command, Tables

WAREHOUSES_MAX = 64
BY_HAND = {STOCK, FLASH, "safety"}


def fold(tables: Tables, command: Command, answers: Answers) -> None:
    """Answer a feed, and move the tables."""
    does = {
        "RegisterWarehouse": _register,
        "ReceiveStock": _receive,
        "AdjustStock": _adjust,
        "CountStock": _count,
        "CorrectStock": _correct,
        "AnnounceInbound": _announce,
        "CloseInbound": _close,
        "TransferStock": _transfer,
        "OpenFlash": _open_flash,
        "DefineBundle": _define,
        "SetSafety": _watch,
        "SetRoutingPlan": _pass_on,
        "DescribeSkus": _pass_on,
        "WithdrawWarehouse": _pass_on,
    }[command["command"]]
    feed = f"{command['pool']}|{command['flash_id'] if 'flash_id' in command else command['feed_id']}"
    if feed in tables["feeds"]:
        answers.tell("StockFeedRepeated")
        return
    tables["feeds"][feed] = command["at"]
    if not does(tables, command, answers):
        answers.tell("StockFeedRefused")


def _knows(tables: Tables, command: Command) -> bool:
    return command["warehouse"] in tables["networks"].get(command["pool"], [[]])[0]


def _pass_on(tables: Tables, command: Command, answers: Answers) -> bool:
    """Hand a feed about the network on to routing."""
    pool, plan = command["pool"], command.get("plan", {})
    sites, waves = plan.get("warehouses", ()), plan.get("wave_minutes", [])
    lanes = [(site["name"], lane["province"]) for site in sites for lane in site.get("lanes", ())]
    lists = ([site["name"] for site in sites], plan.get("apart", ()), lanes, waves)
    if any(len(set(some)) < len(some) for some in lists) or waves != sorted(waves):
        return False
    if command["command"] == "WithdrawWarehouse" and not _knows(tables, command):
        return False
    answers.tell("NetworkFeedPassed")
    if command["command"] == "WithdrawWarehouse":
        answers.ask("CloseWarehouse", f"{pool}|{command['warehouse']}")
    else:
        answers.ask("AdoptPlan" if plan else "NoteProducts", pool)
    return True


def _positive(command: Command) -> bool:
    return bool(command["units"]) and all(count > 0 for _, count in command["units"])


def _register(tables: Tables, command: Command, answers: Answers) -> bool:
    pool, warehouse = command["pool"], command["warehouse"]
    known = tables["networks"].get(pool, [[]])[0]
    if warehouse not in known:
        if len(known) >= WAREHOUSES_MAX:
            return False
        tables["networks"][pool] = [[*known, warehouse]]
    answers.tell("WarehouseRegistered")
    answers.ask("OpenWarehouse", f"{pool}|{warehouse}")
    return True


def _receive(tables: Tables, command: Command, answers: Answers) -> bool:
    pool, units, inbound_id = command["pool"], command["units"], command.get("inbound_id", "")
    inbound = tables["inbounds"].get(f"{pool}|{inbound_id}") if inbound_id else None
    if not _knows(tables, command) or not _positive(command) or (inbound_id and inbound is None):
        return False
    answers.tell("StockReceived")
    answers.ask("StockShelf", f"{pool}|{command['warehouse']}", units)
    came = sums(units)
    if inbound is not None:
        announced = sums(inbound[1])
        for sku in came:
            came[sku] -= _arrive(tables, pool, sku, min(came[sku], announced.get(sku, 0)))
            announced[sku] = announced.get(sku, 0) - min(sums(units)[sku], announced.get(sku, 0))
        tables["inbounds"][f"{pool}|{inbound_id}"] = [inbound[0], pairs(announced)]
    change(tables, (pool, STOCK), came.items(), 1, 0)
    restock(tables, command, came)
    keys = [f"{pool}|{sku}" for sku in came]
    serve(tables, answers, keys, keys)
    return True


def _arrive(tables: Tables, pool: str, sku: str, count: int) -> int:
    """Take announced units out of transit; give how many of them are promised, and so not in stock."""
    if not count:
        return 0
    on_hand, held = balance(tables, pool, PRESALE, sku)
    key = f"{pool}|{sku}"
    promised = min(count, held - (on_hand - tables["in_transit"][key]))
    tables["in_transit"][key] -= count
    change(tables, (pool, PRESALE), [[sku, count - promised]], -1, 0)
    return int(promised)


def _adjust(tables: Tables, command: Command, answers: Answers) -> bool:
    pool, sku, count = command["pool"], command["sku"], command["change_units"]
    on_hand, held = balance(tables, pool, STOCK, sku)
    if not _knows(tables, command) or on_hand + count < held:
        return False
    answers.tell("StockAdjusted")
    answers.ask("StockShelf", f"{pool}|{command['warehouse']}", [[sku, count]])
    change(tables, (pool, STOCK), [[sku, count]], 1, 0)
    restock(tables, command, [sku])
    serve(tables, answers, (), [f"{pool}|{sku}"])
    return True


def _count(tables: Tables, command: Command, answers: Answers) -> bool:
    """Hand a count on to routing."""
    if not _knows(tables, command):
        return False
    answers.tell("NetworkFeedPassed")
    place, found = f"{command['pool']}|{command['warehouse']}", [[command["sku"], command["counted_units"]]]
    answers.ask("CountShelf", place, found)
    return True


def _correct(tables: Tables, command: Command, answers: Answers) -> bool:
    """Put right what a count found wrong, if all that is held stays held."""
    pool, sku, count = command["pool"], command["sku"], command["change_units"]
    on_hand, held = balance(tables, pool, STOCK, sku)
    fits = on_hand + count >= held
    answers.asked.append(("SettleCount", f"{pool}|{command['count_id']}", str(fits)))
    if fits:
        answers.tell("StockAdjusted")
        change(tables, (pool, STOCK), [[sku, count]], 1, 0)
        restock(tables, command, [sku])
        serve(tables, answers, (), [f"{pool}|{sku}"])
    return bool(fits)


def _announce(tables: Tables, command: Command, answers: Answers) -> bool:
    pool, key = command["pool"], f"{command['pool']}|{command['inbound_id']}"
    if not _knows(tables, command) or not _positive(command) or key in tables["inbounds"]:
        return False
    answers.tell("InboundAnnounced")
    units = sorted(pairs(sums(command["units"])))
    tables["inbounds"][key] = [command["warehouse"], units]
    change(tables, (pool, PRESALE), units, 1, 0)
    for sku, count in units:
        tables["in_transit"][f"{pool}|{sku}"] = tables["in_transit"].get(f"{pool}|{sku}", 0) + count
    return True


def _close(tables: Tables, command: Command, answers: Answers) -> bool:
    pool, key = command["pool"], f"{command['pool']}|{command['inbound_id']}"
    warehouse, units = tables["inbounds"].get(key, ("", None))
    if units is None:
        return False
    for sku, count in units:
        on_hand, held = balance(tables, pool, PRESALE, sku)
        if on_hand - held < count:
            return False
    answers.tell("InboundClosed")
    tables["inbounds"][key] = [warehouse, []]
    change(tables, (pool, PRESALE), units, -1, 0)
    for sku, count in units:
        tables["in_transit"][f"{pool}|{sku}"] -= count
    return True


def _transfer(tables: Tables, command: Command, answers: Answers) -> bool:
    pool, sku, count = command["pool"], command["sku"], command["units"]
    between = [command["from_pool"], command["to_pool"]]
    on_hand, held = balance(tables, pool, between[0], sku)
    if between[0] == between[1] or not BY_HAND.issuperset(between) or count > on_hand - held:
        return False
    if FLASH in between and f"{pool}|{sku}" not in tables["flashes"]:
        return False
    answers.tell("StockTransferred")
    for sub_pool, sign in zip(between, (-1, 1), strict=True):
        change(tables, (pool, sub_pool), [[sku, count]], sign, 0)
    restock(tables, command, [sku])
    serve(tables, answers, (), [f"{pool}|{sku}"] if between[1] == STOCK else ())
    return True


def _open_flash(tables: Tables, command: Command, answers: Answers) -> bool:
    pool, sku, count = command["pool"], command["sku"], command["units"]
    opens, closes = command["opens_at"], command["closes_at"]
    on_hand, held = balance(tables, pool, STOCK, sku)
    if f"{pool}|{sku}" in tables["flashes"] or closes <= opens or closes <= command["at"] or count > on_hand - held:
        return False
    answers.tell("FlashOpened")
    tables["flashes"][f"{pool}|{sku}"] = [command["flash_id"], opens, closes, command.get("per_buyer_max", 0)]
    change(tables, (pool, STOCK), [[sku, count]], -1, 0)
    change(tables, (pool, FLASH), [[sku, count]], 1, 0)
    return True


def _define(tables: Tables, command: Command, answers: Answers) -> bool:
    pool, sku, parts = command["pool"], command["sku"], command["parts"]
    if any(count <= 0 or part == sku or f"{pool}|{part}" in tables["bundles"] for part, count in parts):
        return False
    answers.tell("BundleDefined")
    if parts:
        tables["bundles"][f"{pool}|{sku}"] = [sorted(pairs(sums(parts)))]
    else:
        tables["bundles"].pop(f"{pool}|{sku}", None)
    return True


def _watch(tables: Tables, command: Command, answers: Answers) -> bool:
    key = f"{command['pool']}|{command['sku']}"
    known = tables["safety_levels"].get(key, [0, 0, 0, [0] * 8, False, -1])
    tables["safety_levels"][key] = [command["lead_days"], command.get("floor_units", 0), *known[2:]]
    answers.tell("SafetySet")
    return True
