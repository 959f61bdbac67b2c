"""Stock: never more held than there is, at any point; holds whole, once, and settled once."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from loadtest.oracle.checks import Check
from loadtest.oracle.history import EVENTS, FEED, RAW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from loadtest.oracle.history import Delivery, Fact, History

SETTLED = ("HoldConsumed", "HoldReleased")
STOCK_TOPIC = "stock.commands"


class Entry(NamedTuple):
    """A change of what a pool has (`received`) or what is taken from it (held or gone), in stock order."""

    place: tuple[int, int, int]
    """Partition and offset in stock.commands, and the event's place in the answer."""
    name: str
    pool: str
    received: tuple[tuple[str, int], ...]
    taken: tuple[tuple[str, int], ...]


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
    entries = [_from_delivery(delivery) for delivery in _counted(history.feed)]
    entries.extend(_from_fact(fact) for fact in history.named("HoldPlaced", "HoldReleased", "StockAdjusted"))
    return sorted(entries)


def _counted(feed: Iterable[Delivery]) -> Iterator[Delivery]:
    known = set()
    for delivery in sorted(feed, key=lambda delivery: stock_place(delivery.source, -1)):
        if (feed_name := (delivery.pool, delivery.feed_id)) not in known:
            known.add(feed_name)
            yield delivery


def _from_delivery(delivery: Delivery) -> Entry:
    return Entry(stock_place(delivery.source, -1), delivery.source, delivery.pool, delivery.units, ())


def _from_fact(fact: Fact) -> Entry:
    place = stock_place(fact.cause, int(fact.event_id.rpartition("-")[2]))
    body = fact.body
    if fact.event == "StockAdjusted":
        return Entry(place, fact.event_id, body["pool"], ((body["sku"], body["change_units"]),), ())
    sign = 1 if fact.event == "HoldPlaced" else -1
    taken = tuple((sku, sign * units) for sku, units in body["units"])
    return Entry(place, fact.event_id, body["pool"], (), taken)


def _oversold(history: History) -> Iterator[str]:
    free: Counter[tuple[str, str]] = Counter()
    named = set()
    for entry in ledger(history):
        changes = chain(entry.received, ((sku, -units) for sku, units in entry.taken))
        for sku, units in changes:
            key = (entry.pool, sku)
            free[key] += units
            if free[key] < 0 and key not in named:
                named.add(key)
                yield f"{entry.name}: {-free[key]} units of SKU {sku} in pool {entry.pool} are held that are not there"


def _held_twice(history: History) -> Iterator[str]:
    for order_id, times in Counter(fact.order_id for fact in history.named("HoldPlaced")).items():
        if times > 1:
            yield f"order {order_id}: held {times} times"


def _partly_held(history: History) -> Iterator[str]:
    for fact in history.named("HoldPlaced"):
        asked = [message.units for message in history.raw_by_order.get(fact.order_id, []) if message.units]
        if asked and (held := dict(fact.body["units"])) not in asked:
            yield f"order {fact.order_id}: asked for {len(asked[0])} SKUs, held {len(held)}, not the same units"


def _settled_twice(history: History) -> Iterator[str]:
    settled = Counter(fact.fulfilment_id for fact in history.named(*SETTLED) if fact.fulfilment_id)
    for fulfilment_id, times in settled.items():
        if times > 1:
            yield f"fulfilment order {fulfilment_id}: its hold was consumed or released {times} times"


def _unsettled(history: History) -> Iterator[str]:
    left: dict[str, Counter[str]] = {}
    for fact in history.named("HoldPlaced", *SETTLED):
        sign = 1 if fact.event == "HoldPlaced" else -1
        balance = left.setdefault(fact.order_id, Counter())
        for sku, units in fact.body["units"]:
            balance[sku] += sign * units
    manual = {fact.order_id for fact in history.named("WaybillRefused")}
    for order_id, balance in left.items():
        wrong = {sku: units for sku, units in balance.items() if units < 0 or (units > 0 and order_id not in manual)}
        if wrong:
            yield f"order {order_id}: units neither consumed nor released, or more than were held: {wrong}"


def _routed_otherwise(history: History) -> Iterator[str]:
    held = {fact.order_id: dict(fact.body["units"]) for fact in history.named("HoldPlaced")}
    for fact in history.named("OrderRouted"):
        routed: Counter[str] = Counter()
        for part in fact.body["parts"]:
            routed.update(dict(part["units"]))
        if dict(routed) != held.get(fact.order_id):
            yield f"order {fact.order_id}: routed other units than are held ({fact.event_id})"


def _feed_not_counted_once(history: History) -> Iterator[str]:
    counted = Counter((fact.body["pool"], fact.body["feed_id"]) for fact in history.named("StockReceived"))
    for delivery in _counted(history.feed):
        if (times := counted.pop((delivery.pool, delivery.feed_id), 0)) != 1:
            yield f"{delivery.source}: feed {delivery.feed_id} of pool {delivery.pool} counted {times} times"
    for pool, feed_id in counted:
        yield f"feed {feed_id} of pool {pool}: counted, and nobody sent it"


def _placed(history: History) -> int:
    return len(history.named("HoldPlaced"))


CHECKS = (
    Check(
        "nothing oversold",
        "per pool and SKU, at every point, held units <= received units",
        (FEED, EVENTS),
        lambda history: len(ledger(history)),
        _oversold,
        invariant="I2",
        anytime=True,
    ),
    Check(
        "held once",
        "no order is held twice",
        (EVENTS,),
        _placed,
        _held_twice,
        invariant="I3",
        anytime=True,
    ),
    Check(
        "held whole",
        "an order is held with all its units or not at all",
        (RAW, EVENTS),
        _placed,
        _partly_held,
        invariant="I3",
        anytime=True,
    ),
    Check(
        "routed whole",
        "an order is routed with the units held for it",
        (EVENTS,),
        _placed,
        _routed_otherwise,
        invariant="I1",
        anytime=True,
    ),
    Check(
        "settled once",
        "a fulfilment order's hold is consumed or released once",
        (EVENTS,),
        lambda history: len(history.named(*SETTLED)),
        _settled_twice,
        invariant="I3",
        anytime=True,
    ),
    Check(
        "settled whole",
        "every unit held is consumed or released",
        (EVENTS,),
        _placed,
        _unsettled,
        invariant="I1",
    ),
    Check(
        "feed counted",
        "every delivery counts once",
        (FEED, EVENTS),
        lambda history: len(history.feed),
        _feed_not_counted_once,
        invariant="I1",
    ),
)
