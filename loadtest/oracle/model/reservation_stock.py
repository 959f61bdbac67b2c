"""What reservation's stock must be: balances by sub-pool, who waits for units and who gets them, safety levels.

`stock` and `sub_stock`: [on hand, held]; `waits`: [pool, units, priority, since, whether of a presale];
`pending_holds`: [pool, units, ship to, sub-pool, may split, priority, since, expires at, units waited for, trims,
stock gate, values, paid].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loadtest.oracle.model.reservation_limits import WAITING, lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from loadtest.oracle.model.answers import Answers, Command, Tables

REFUSED, CANCELLING, TENTATIVE, EXPIRED = "refused", "cancelling", "tentative", "expired"
STOCK, PRESALE, FLASH = "stock", "presale", "flash"
FILLS_MAX = 5_000
DAY_MS = 86_400_000
Units = list[list[Any]]
POOL, UNITS, SHIP_TO, SUB_POOL, MAY_SPLIT, PRIORITY, SINCE, EXPIRES, LEFT, TRIMS, GATE, VALUES, PAID = range(13)
"""The places in an entry of `pending_holds`."""


def sums(units: Iterable[Any]) -> dict[str, int]:
    """Sum units by SKU."""
    found: dict[str, int] = {}
    for sku, count in units:
        found[sku] = found.get(sku, 0) + count
    return found


def pairs(counts: Mapping[str, int]) -> Units:
    """Give units from sums, without those that are none."""
    return [[sku, count] for sku, count in counts.items() if count]


def entry(pool: str, sub_pool: str, sku: str) -> tuple[str, str]:
    """Name the table and the key of a balance."""
    return ("stock", f"{pool}|{sku}") if sub_pool == STOCK else ("sub_stock", f"{pool}|{sub_pool}|{sku}")


def balance(tables: Tables, pool: str, sub_pool: str, sku: str) -> tuple[int, int]:
    """Give a balance: on hand, held."""
    table, key = entry(pool, sub_pool, sku)
    on_hand, held = tables[table].get(key, (0, 0))
    return on_hand, held


def change(tables: Tables, place: tuple[str, str], units: Iterable[Any], on_hand: int, held: int) -> None:
    """Move units in a pool's sub-pool (`place`): `on_hand` and `held` say by which multiple of each."""
    for sku, count in units:
        table, key = entry(*place, sku)
        before = tables[table].get(key, (0, 0))
        tables[table][key] = [before[0] + on_hand * count, before[1] + held * count]


def waiting_of(tables: Tables, order_id: str) -> Units:
    """Give what an order waits for, in the order of its units."""
    waits = tables["waits"]
    names = [sku for sku, _ in tables["pending_holds"][order_id][UNITS]]
    return [[sku, waits[f"{order_id}|{sku}"][1]] for sku in names if f"{order_id}|{sku}" in waits]


def wait(tables: Tables, order_id: str, units: Units) -> None:
    """Queue an order for units."""
    pending = tables["pending_holds"][order_id]
    is_presale = pending[SUB_POOL] == PRESALE
    for sku, count in units:
        tables["waits"][f"{order_id}|{sku}"] = [pending[POOL], count, pending[PRIORITY], pending[SINCE], is_presale]
        pending[LEFT] += count
    if is_presale:
        change(tables, (pending[POOL], PRESALE), units, 0, 1)


def unwait(tables: Tables, order_id: str, units: Units) -> None:
    """Let an order wait for so many units less."""
    for sku, count in units:
        key = f"{order_id}|{sku}"
        tables["pending_holds"][order_id][LEFT] -= count
        tables["waits"][key] = [tables["waits"][key][0], tables["waits"][key][1] - count, *tables["waits"][key][2:]]
        if not tables["waits"][key][1]:
            del tables["waits"][key]


def give_up(tables: Tables, order_id: str, units: Units, waiting: Units) -> list[str]:
    """Take units out of a hold that is not routed, and out of the queues; name the `pool|SKU` freed in stock."""
    pending, hold = tables["pending_holds"][order_id], tables["holds"][order_id]
    pool = pending[POOL]
    unwait(tables, order_id, waiting)
    if pending[SUB_POOL] == PRESALE:
        change(tables, (pool, PRESALE), waiting, 0, -1)
    left = sums(hold[1])
    for sku, count in units:
        left[sku] -= count
    hold[1] = pairs(left)
    where = FLASH if pending[SUB_POOL] == FLASH else STOCK
    change(tables, (pool, where), units, 0, -1)
    if not hold[1]:
        tables["holds_apart"].pop(order_id, None)
    return [] if where == FLASH else [f"{pool}|{sku}" for sku, _ in units]


def back_from_flash(tables: Tables, answers: Answers, pool: str, units: Iterable[Any]) -> list[str]:
    """Send units of flash sales that are over to stock; name the `pool|SKU` freed there."""
    freed = []
    for sku, count in units:
        if f"{pool}|{sku}" not in tables["flashes"]:
            answers.tell("StockTransferred")
            change(tables, (pool, FLASH), [[sku, count]], -1, 0)
            change(tables, (pool, STOCK), [[sku, count]], 1, 0)
            freed.append(f"{pool}|{sku}")
    return freed


# --- who gets what came ---


def serve(tables: Tables, answers: Answers, presale: Iterable[str], free: Iterable[str]) -> None:
    """Give what came to who waits for it: the goods of presales, then what is free; by `pool|SKU`."""
    if not tables["waits"]:
        return
    fills = 0
    for is_presale, keys in ((True, presale), (False, free)):
        for key in dict.fromkeys(keys):
            pool, _, sku = key.partition("|")
            for order_id in _queue(tables, pool, sku, is_presale):
                units = _here(tables, pool, sku, is_presale)
                if units <= 0 or fills >= FILLS_MAX:
                    break
                fills += 1
                _fill(tables, answers, order_id, [sku, min(units, tables["waits"][f"{order_id}|{sku}"][1])])


def waited_for(tables: Tables, is_presale: bool) -> list[str]:  # noqa: FBT001 - one of two kinds
    """Name the `pool|SKU` that somebody waits for."""
    return sorted({f"{one[0]}|{key.partition('|')[2]}" for key, one in tables["waits"].items() if one[4] == is_presale})


def _queue(tables: Tables, pool: str, sku: str, is_presale: bool) -> list[str]:  # noqa: FBT001 - one of two kinds
    waiting = [
        (-one[2], one[3], key.partition("|")[0])
        for key, one in tables["waits"].items()
        if one[0] == pool and one[4] == is_presale and key.partition("|")[2] == sku
    ]
    return [order_id for _, _, order_id in sorted(waiting)]


def _here(tables: Tables, pool: str, sku: str, is_presale: bool) -> int:  # noqa: FBT001 - one of two kinds
    on_hand, held = balance(tables, pool, PRESALE if is_presale else STOCK, sku)
    return on_hand - int(tables["in_transit"].get(f"{pool}|{sku}", 0)) if is_presale else on_hand - held


def _fill(tables: Tables, answers: Answers, order_id: str, unit: list[Any]) -> None:
    pending, hold = tables["pending_holds"][order_id], tables["holds"][order_id]
    pool = pending[POOL]
    if pending[SUB_POOL] == PRESALE:
        change(tables, (pool, PRESALE), [unit], -1, -1)
        change(tables, (pool, STOCK), [unit], 1, 1)
    else:
        change(tables, (pool, STOCK), [unit], 0, 1)
    unwait(tables, order_id, [unit])
    hold[1] = sorted(pairs(sums([*hold[1], unit])))
    goes_on = hold[0] == WAITING and not pending[LEFT]
    if goes_on:
        lock(tables, hold, answers.at)
        answers.ask("RouteOrder", order_id, pending[UNITS])
        del tables["pending_holds"][order_id]
    answers.tell("HoldFilled", order_id, hold[0])


# --- safety levels: [lead days, floor, day, sold by day, whether it is due, the day it was last hot] ---


def sell(tables: Tables, command: Command, pool: str, units: Units) -> None:
    """Count what was sold."""
    for sku, count in units:
        if one := tables["safety_levels"].get(f"{pool}|{sku}"):
            day = command["at"] // DAY_MS
            _turn(one, day)
            if 0 <= one[2] - day < len(one[3]):
                one[3][one[2] - day] += count


def _turn(one: list[Any], day: int) -> None:
    while one[2] < day:
        gone = min(day - one[2], len(one[3]))
        one[3] = [0] * gone + one[3][: len(one[3]) - gone]
        one[2] = day


def level(one: list[Any], at: int) -> tuple[int, list[int]]:
    """Give the safety level and the seven days that it is of: average x (lead days + 3), rounded up."""
    turned = [one[0], one[1], one[2], list(one[3])]
    _turn(turned, at // DAY_MS)
    days = turned[3][1:]
    quotient, rest = divmod(sum(days) * (one[0] + 3), 7)
    return max(one[1], quotient + bool(rest)), days


def alarm(tables: Tables, at: int, pool: str, wanted: Units, taken: Units) -> Iterator[tuple[str, str]]:
    """Say of which SKUs too little is left, and which sell fast: (event, SKU), events by SKU; `low` is no event."""
    gone = sums(taken)
    for sku, _ in wanted:
        one = tables["safety_levels"].get(f"{pool}|{sku}")
        if one is None:
            continue
        on_hand, held = balance(tables, pool, STOCK, sku)
        left = on_hand - held - gone.get(sku, 0)
        least, days = level(one, at)
        if left < least:
            yield "low", sku
            if not one[4]:
                yield "ReplenishmentDue", sku
        grows = sum(days[3:6]) > 0 and 5 * sum(days[:3]) > 6 * sum(days[3:6])
        if one[5] < at // DAY_MS and grows and left < sum(days):
            yield "HotSeller", sku


def restock(tables: Tables, command: Command, skus: Iterable[str]) -> None:
    """Note that a SKU is at its level again."""
    for sku in skus:
        one = tables["safety_levels"].get(f"{command['pool']}|{sku}")
        if one is not None and one[4]:
            on_hand, held = balance(tables, command["pool"], STOCK, sku)
            one[4] = on_hand - held < level(one, command["at"])[0]
