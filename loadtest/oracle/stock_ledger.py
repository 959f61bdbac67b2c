"""The ledger: every change of what is free in a sub-pool, in the order in which it was decided.

What is free in presale is what was announced, has not come, and is promised to nobody.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from loadtest.oracle.history import Delivery, Fact, History

STOCK_TOPIC = "stock.commands"
STOCK, PRESALE, FLASH = "stock", "presale", "flash"
TAKE = ("HoldPlaced", "HoldRegained", "HoldFilled")
"""The events by which an order gets units."""
GIVE_BACK = ("HoldReleased", "HoldExpired", "HoldTrimmed")
MOVES = ("StockAdjusted", "StockTransferred", "FlashOpened", "FlashClosed", "InboundAnnounced", "InboundClosed")
Account = tuple[str, str, str]
"""Pool, sub-pool, SKU."""


class Entry(NamedTuple):
    """A change of what is free, by account."""

    place: tuple[int, int, int]
    """Partition and offset in stock.commands, and the event's place in the answer."""
    name: str
    free: tuple[tuple[Account, int], ...]


def stock_place(cause: str, index: int) -> tuple[int, int, int]:
    """Read partition and offset from a cause in stock.commands. Raises ValueError for another cause."""
    topic, partition, offset = cause.rsplit("-", 2)
    if topic != STOCK_TOPIC:
        message = f"{cause}: stock changed for a record that is not of {STOCK_TOPIC}"
        raise ValueError(message)
    return int(partition), int(offset), index


def ledger(history: History) -> list[Entry]:
    """Give all changes of stock in the order in which they were decided.

    order.events is keyed by order, so its own order says nothing of stock; the causes do. What was received is taken
    from the warehouses' commands, each feed id once, and not from the pipeline's word for it.
    """
    apart = {fact.order_id: sub_pool(fact) for fact in history.named("HoldPlaced") if sub_pool(fact) != STOCK}
    entries = [_from_fact(fact, apart) for fact in history.named(*TAKE, *GIVE_BACK, *MOVES)]
    entries.extend(_from_deliveries(history, entries))
    return sorted(entries)


def sub_pool(fact: Fact) -> str:
    """Give the sub-pool that a fact names."""
    return str(fact.body.get("sub_pool", STOCK))


def counted_deliveries(feed: Iterable[Delivery]) -> Iterator[Delivery]:
    """Give the deliveries that count: the first of each feed id."""
    known = set()
    for delivery in sorted(feed, key=lambda delivery: stock_place(delivery.source, -1)):
        if (feed_name := (delivery.pool, delivery.feed_id)) not in known:
            known.add(feed_name)
            yield delivery


def _from_deliveries(history: History, entries: Sequence[Entry]) -> Iterator[Entry]:
    """Put what came into stock, and take it out of what was announced."""
    places = {entry.name: entry.place for entry in entries}
    announced = [(places[fact.event_id], fact) for fact in history.named("InboundAnnounced")]
    open_units: dict[tuple[str, str], Counter[str]] = {}
    queue = sorted(announced, key=lambda pair: pair[0])
    for delivery in counted_deliveries(history.feed):
        place = stock_place(delivery.source, -1)
        while queue and queue[0][0] < place:
            body = queue.pop(0)[1].body
            open_units[body["pool"], body["inbound_id"]] = Counter(dict(body["units"]))
        left = open_units.get((delivery.pool, delivery.inbound_id), Counter())
        free = [((delivery.pool, STOCK, sku), units) for sku, units in delivery.units]
        for sku, units in delivery.units:
            came = min(units, left[sku])
            left[sku] -= came
            free.append(((delivery.pool, PRESALE, sku), -came))
        yield Entry(place, delivery.source, tuple(free))


def _from_fact(fact: Fact, apart: Mapping[str, str]) -> Entry:
    place = stock_place(fact.cause, int(fact.event_id.rpartition("-")[2]))
    changes = _moved(fact) if fact.event in MOVES else _held(fact, apart)
    return Entry(place, fact.event_id, tuple(changes))


def _moved(fact: Fact) -> Iterator[tuple[Account, int]]:
    """Say what stock feeds, transfers and flash sales change."""
    body = fact.body
    pool = body["pool"]
    if fact.event == "StockAdjusted":
        yield (pool, STOCK, body["sku"]), body["change_units"]
    elif fact.event.startswith("Inbound"):
        sign = 1 if fact.event == "InboundAnnounced" else -1
        yield from (((pool, PRESALE, sku), sign * units) for sku, units in body["units"])
    else:
        from_pool, to_pool = (STOCK, FLASH) if fact.event == "FlashOpened" else (FLASH, STOCK)
        yield (pool, body.get("from_pool", from_pool), body["sku"]), -body["units"]
        yield (pool, body.get("to_pool", to_pool), body["sku"]), body["units"]


def _held(fact: Fact, apart: Mapping[str, str]) -> Iterator[tuple[Account, int]]:
    """Say what holds change: units on hand, and, of a presale, promises."""
    body, pool = fact.body, fact.body["pool"]
    kind = apart.get(fact.order_id, STOCK)
    sign = -1 if fact.event in TAKE else 1
    yield from (((pool, FLASH if kind == FLASH else STOCK, sku), sign * units) for sku, units in body["units"])
    if kind == PRESALE:
        promised, of_promises = (body["units"], 1) if fact.event == "HoldFilled" else (body.get("waiting", ()), sign)
        yield from (((pool, PRESALE, sku), of_promises * units) for sku, units in promised)


def overdrawn(history: History) -> Iterator[tuple[str, Account, int]]:
    """Give each account that is below nothing after a record: the last change's name, the account, by how much."""
    free: Counter[Account] = Counter()
    for _, entries in groupby(ledger(history), key=lambda entry: entry.place[:2]):
        touched: dict[Account, str] = {}
        for entry in entries:
            for account, units in entry.free:
                free[account] += units
                touched[account] = entry.name
        yield from ((name, account, -free[account]) for account, name in touched.items() if free[account] < 0)


def held_by_order(history: History) -> dict[str, Counter[str]]:
    """Sum what each order got and gave back before it was routed: the units to route."""
    found: dict[str, Counter[str]] = {}
    for fact in history.named(*TAKE, "HoldExpired", "HoldTrimmed"):
        sign = 1 if fact.event in TAKE else -1
        sums = found.setdefault(fact.order_id, Counter())
        for sku, units in fact.body["units"]:
            sums[sku] += sign * units
    return found
