"""Stock: never more held than there is, at any point; holds whole, once, and settled once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from loadtest.oracle.checks import Check
from loadtest.oracle.history import EVENTS, FEED, RAW
from loadtest.oracle.stock_ledger import FLASH, STOCK, TAKE, counted_deliveries, held_by_order, ledger, overdrawn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from loadtest.oracle.history import Fact, History
    from loadtest.oracle.stock_ledger import Account

SETTLED = ("HoldConsumed", "HoldReleased")


def _oversold(history: History) -> Iterator[str]:
    named = set()
    for name, account, units in overdrawn(history):
        if account not in named:
            named.add(account)
            pool, sub_pool, sku = account
            where = f"in pool {pool}" if sub_pool == STOCK else f"in {sub_pool} of pool {pool}"
            yield f"{name}: {units} units of SKU {sku} {where} are held that are not there"


def _left_in_flash(history: History) -> Iterator[str]:
    """Name flash sales that are over, and whose units nobody holds and nobody gave back."""
    free: Counter[Account] = Counter()
    for entry in ledger(history):
        for account, units in entry.free:
            free[account] += units
    sales = Counter((fact.body["pool"], fact.body["sku"]) for fact in history.named("FlashOpened"))
    sales.subtract(Counter((fact.body["pool"], fact.body["sku"]) for fact in history.named("FlashClosed")))
    for (pool, sku), still_open in sales.items():
        if not still_open and free[pool, FLASH, sku]:
            yield f"SKU {sku} of pool {pool}: {free[pool, FLASH, sku]} units of a flash sale that is over are not back"


def _held_twice(history: History) -> Iterator[str]:
    for order_id, times in Counter(fact.order_id for fact in history.named("HoldPlaced")).items():
        if times > 1:
            yield f"order {order_id}: held {times} times"


def _partly_held(history: History) -> Iterator[str]:
    for fact in history.named("HoldPlaced"):
        if fact.body.get("expanded"):
            continue  # of a bundle the shop says nothing
        held = Counter(dict(fact.body["units"]))
        held.update(dict(fact.body.get("waiting", ())))
        asked = _asked(history, fact)
        if asked and held not in asked:
            yield f"order {fact.order_id}: asked for {len(asked[0])} SKUs, held {len(held)}, not the same units"


def _asked(history: History, placed: Fact) -> list[Counter[str]]:
    """Give what an order may be held with: all of it, or what its first partial cancellations had left by then."""
    messages = history.raw_by_order.get(placed.order_id, [])
    asked = [Counter(message.units) for message in messages if message.units and message.kind == "order"]
    cuts = {message.trim_id: Counter(message.units) for message in messages if message.kind == "partial_cancellation"}
    left = list(asked)
    for fact in history.facts_by_order[placed.order_id]:
        if fact is placed:
            break
        if fact.event == "OrderTrimmed":
            left = [units - cuts.get(fact.body["trim_id"], Counter()) for units in left]
            asked += left
    return asked


def _settled_twice(history: History) -> Iterator[str]:
    settled = Counter(fact.fulfilment_id for fact in history.named(*SETTLED) if fact.fulfilment_id)
    for fulfilment_id, times in settled.items():
        if times > 1:
            yield f"fulfilment order {fulfilment_id}: its hold was consumed or released {times} times"


def _unsettled(history: History) -> Iterator[str]:
    """Every unit that an order got is consumed or free again, unless the order is not routed yet."""
    left = held_by_order(history)
    for fact in history.named(*SETTLED):
        left.setdefault(fact.order_id, Counter()).subtract(dict(fact.body["units"]))
    manual = {fact.order_id for fact in history.named("WaybillRefused")}
    routed = {fact.order_id for fact in history.named("OrderRouted", "RouteFailed")}
    waits = {fact.order_id for fact in history.named(*TAKE, "HoldConfirmed") if fact.to != "locked"} - routed
    for order_id, balance in left.items():
        may_hold = order_id in manual or order_id in waits
        wrong = {sku: units for sku, units in balance.items() if units < 0 or (units > 0 and not may_hold)}
        if wrong:
            yield f"order {order_id}: units neither consumed nor released, or more than were held: {wrong}"


def _routed_otherwise(history: History) -> Iterator[str]:
    held = held_by_order(history)
    for fact in history.named("OrderRouted"):
        routed: Counter[str] = Counter()
        for part in fact.body["parts"]:
            routed.update(dict(part["units"]))
        if routed != +held.get(fact.order_id, Counter()):
            yield f"order {fact.order_id}: routed other units than are held ({fact.event_id})"


def _sent_again_otherwise(history: History) -> Iterator[str]:
    """Follow each order's parts: what takes the place of one has its units and its money, and takes it once."""
    for order_id, facts in history.facts_by_order.items():
        waiting: dict[str, Mapping[str, Any]] = {}
        for fact in facts:
            if fact.event == "OrderRouted":
                waiting = {part["fulfilment_id"]: part for part in fact.body["parts"]}
            if fact.event != "PartRerouted":
                continue
            new, old = fact.body["new_parts"], waiting.pop(fact.fulfilment_id, None)
            if old is None or _summed([old]) != _summed(new):
                yield f"order {order_id}: {fact.event_id} sends {fact.fulfilment_id} again with other units or money"
            if twice := waiting.keys() & {part["fulfilment_id"] for part in new}:
                yield f"order {order_id}: {fact.event_id} makes a part {min(twice)}, which there is already"
            waiting |= {part["fulfilment_id"]: part for part in new}


def _summed(parts: Iterable[Mapping[str, Any]]) -> tuple[Counter[str], int, int]:
    """Give the units of some parts, what they are worth and what was paid for them."""
    units: Counter[str] = Counter()
    for part in parts:
        units.update(dict(part["units"]))
    worth = sum(sum(part.get("values_minor", ())) for part in parts)
    return units, worth, sum(part.get("paid_minor", 0) for part in parts)


def _feed_not_counted_once(history: History) -> Iterator[str]:
    counted = Counter((fact.body["pool"], fact.body["feed_id"]) for fact in history.named("StockReceived"))
    for delivery in counted_deliveries(history.feed):
        if (times := counted.pop((delivery.pool, delivery.feed_id), 0)) != 1:
            yield f"{delivery.source}: feed {delivery.feed_id} of pool {delivery.pool} counted {times} times"
    for pool, feed_id in counted:
        yield f"feed {feed_id} of pool {pool}: counted, and nobody sent it"


def _placed(history: History) -> int:
    return len(history.named("HoldPlaced"))


CHECKS = (
    Check(
        "nothing oversold",
        "per pool, sub-pool and SKU, after every record, held <= on hand, promised <= in transit, flash <= set aside",
        (FEED, EVENTS),
        lambda history: len(ledger(history)),
        _oversold,
        invariant="I2",
        anytime=True,
    ),
    Check(
        "flash returned",
        "what is left of a flash sale is back in stock when it is over",
        (FEED, EVENTS),
        lambda history: len(history.named("FlashOpened")),
        _left_in_flash,
        may_judge_nothing=True,
        invariant="I1",
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
        "sent again whole",
        "the parts that take another's place have its units and its money, to the cent",
        (EVENTS,),
        lambda history: len(history.named("PartRerouted")),
        _sent_again_otherwise,
        may_judge_nothing=True,
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
