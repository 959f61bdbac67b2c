"""State: what the tables, Redis and ClickHouse hold is what the log tells, folded once more."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from loadtest.oracle.checks import Check
from loadtest.oracle.history import CHANGELOGS, EVENTS, FEED, FUNNEL, INPUTS, LETTERS, MINUTES, OFFSETS, PLACES, RAW
from loadtest.oracle.model.folding import MODELS, folded
from loadtest.oracle.outcomes import part_ends

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loadtest.oracle.history import Fact, History

FORGETFUL = ("receivers", "parked_reports")
"""The tables that forget within the time of a run: of an entry, what is older than what they say to have forgotten may
be gone, and what is older still and came later may be there in its place."""
ALL = (OFFSETS, INPUTS, RAW, EVENTS, LETTERS, CHANGELOGS)
READS = {model.name: model.reads for model in MODELS}
MINUTE_MS = 60_000
_decode = msgspec.msgpack.decode


HOLDS = (
    *((event, 0, 1) for event in ("HoldPlaced", "HoldRegained", "HoldFilled")),
    *((event, 0, -1) for event in ("HoldReleased", "HoldExpired", "HoldTrimmed")),
    ("HoldConsumed", -1, -1),
)
"""What an event about a hold does to a SKU's units: on hand, held; over all sub-pools."""


def _entries(history: History) -> int:
    return sum(len(changelog.entries) for changelog in history.changelogs.values())


def _unequal(history: History) -> Iterator[str]:
    tables = folded(history).tables
    for place in sorted(tables.keys() | history.changelogs.keys()):
        wanted = {f"{name}:{key}": value for name, some in tables.get(place, {}).items() for key, value in some.items()}
        changelog = history.changelogs.get(place)
        found = changelog.entries if changelog else {}
        where = f"{place[0]}.changelog-{place[1]}"
        for odd in changelog.odd if changelog else ():
            yield f"{where}: {odd}"
        for key, value in wanted.items():
            held = _decoded(found[key]) if key in found else None
            if held != value and (changelog is None or not _is_forgotten(key, held, value, changelog.forgotten_ms)):
                is_held = "missing" if held is None else held
                yield f"{where}: {key} is {is_held}, and must be {value}"
        for key in found.keys() - wanted.keys():
            yield f"{where}: {key} is {_decoded(found[key])}, and must not be there"


def _decoded(value: bytes) -> Any:  # noqa: ANN401 - what is there, whatever it is
    try:
        return _decode(value)
    except msgspec.MsgspecError as error:
        return f"no MessagePack ({error})"


def _is_forgotten(key: str, held: Any, wanted: Any, forgotten_ms: Mapping[str, int]) -> bool:  # noqa: ANN401 - any entry
    """Say whether two values of an entry differ by nothing but what is older than what was forgotten."""
    table = key.partition(":")[0]
    if table not in FORGETFUL or isinstance(held, str):
        return False
    there, due = (held[0] if held else []), wanted[0]
    apart = [one for one in there if one not in due] + [one for one in due if one not in there]
    return all(one[0] <= forgotten_ms.get(table, 0) for one in apart)


def _unmet(history: History) -> Iterator[str]:
    for model in MODELS:
        partitions = {partition for topic, partition in history.offsets if topic == model.reads}
        for partition in sorted(partitions):
            changelog = history.changelogs.get((model.name, partition))
            checkpoint, offset = changelog.next_offset if changelog else None, history.offsets[model.reads, partition]
            if checkpoint != offset:
                yield f"{model.name}.changelog-{partition}: checkpoint {checkpoint}, committed offset {offset}"


def _unconserved(history: History) -> Iterator[str]:
    """Compare the balances with a ledger of the events alone."""
    on_hand: Counter[str] = Counter()
    held: Counter[str] = Counter()
    counted = {(fact.body["pool"], fact.body["feed_id"]): fact for fact in history.named("StockReceived")}
    for delivery in history.feed:
        if counted.pop((delivery.pool, delivery.feed_id), None):
            for sku, units in delivery.units:
                on_hand[f"{delivery.pool}|{sku}"] += units
    for fact in history.named("StockAdjusted"):
        on_hand[f"{fact.body['pool']}|{fact.body['sku']}"] += fact.body["change_units"]
    for event, of_all, of_held in HOLDS:
        for fact in history.named(event):
            for sku, units in fact.body["units"]:
                on_hand[f"{fact.body['pool']}|{sku}"] += of_all * units
                held[f"{fact.body['pool']}|{sku}"] += of_held * units
    yield from _other_balances(history, on_hand, held)


def _other_balances(history: History, on_hand: Counter[str], held: Counter[str]) -> Iterator[str]:
    shelves: Counter[str] = Counter()
    balances: dict[str, list[int]] = {}
    for changelog in history.changelogs.values():
        for key, value in changelog.entries.items():
            table, _, entry = key.partition(":")
            if table in {"stock", "sub_stock", "in_transit"}:
                _add_balance(balances, table, entry, _decoded(value))
            elif table == "shelves":
                pool, _, sku = entry.split("|", 2)
                shelves[f"{pool}|{sku}"] += _decoded(value)[0]
    for entry, balance in balances.items():
        if balance != (wanted := [on_hand[entry], held[entry]]):
            yield f"{entry}: the balance is {balance}, the events add up to {wanted} (on hand, held)"
    for entry in shelves.keys() | on_hand.keys() if shelves else ():
        if shelves[entry] != on_hand[entry]:
            yield f"{entry}: the shelves have {shelves[entry]}, the events add up to {on_hand[entry]} on hand"


def _add_balance(balances: dict[str, list[int]], table: str, entry: str, value: Any) -> None:  # noqa: ANN401 - any entry
    """Sum up a SKU's sub-pools: of presale what has come, and none of what is promised."""
    if table == "in_transit":
        balances.setdefault(entry, [0, 0])[0] -= value
        return
    pool, _, sku = entry.partition("|")
    sub_pool, _, sku = sku.partition("|") if table == "sub_stock" else ("", "", sku)
    total = balances.setdefault(f"{pool}|{sku}", [0, 0])
    total[0] += value[0]
    total[1] += 0 if sub_pool == "presale" else value[1]


def _misplaced(history: History) -> Iterator[str]:
    for order_id in sorted(history.told.keys() | history.places.keys()):
        wanted, found = history.told.get(order_id), history.places.get(order_id)
        if wanted is None:
            yield f"order {order_id}: Redis has a place, the log has no event"
        elif found is None:
            yield f"order {order_id}: Redis has no place"
        elif (told := _decode(wanted, type=dict[str, str])) != found:
            names = sorted(name for name in told.keys() | found.keys() if told.get(name) != found.get(name))
            first = names[0]
            yield f"order {order_id}: Redis says {first} {found.get(first)!r}, the log {told.get(first)!r} ({names})"


def _reached(facts: Sequence[Fact]) -> Iterator[str]:
    """Give the nodes of the funnel that an order has reached, by its events."""
    events = {fact.event for fact in facts}
    names = (("OrderCreated", "ordered"), ("OrderPaid", "paid"), ("OrderRouted", "routed"))
    yield from (node for event, node in names if event in events)
    parts = len(part_ends([fact for fact in facts if fact.event == "OrderRouted"]))
    parts += sum(len(fact.body["new_parts"]) - 1 for fact in facts if fact.event == "PartRerouted")
    cancelled = {fact.fulfilment_id for fact in facts if fact.event == "FulfilmentCancelled"}
    moved = [fact for fact in facts if fact.event == "ShipmentMoved"]
    outbound = {fact.fulfilment_id for fact in moved if fact.body.get("outbound")} - cancelled
    signed = {fact.fulfilment_id for fact in moved if fact.to == "signed"} - cancelled
    for node, reached in (("outbound", outbound), ("signed", signed)):
        if reached and len(reached) + len(cancelled) >= parts:
            yield node


def _miscounted(history: History) -> Iterator[str]:
    wanted = Counter(node for facts in history.facts_by_order.values() for node in _reached(facts))
    for node in wanted.keys() | history.funnel.keys():
        if wanted[node] != history.funnel.get(node, 0):
            yield f"funnel, {node}: {history.funnel.get(node, 0)} orders in ClickHouse, {wanted[node]} in the log"


def _other_minutes(history: History) -> Iterator[str]:
    wanted = Counter((fact.appended_ms // MINUTE_MS * 60, fact.event) for fact in history.facts)
    for (minute, event), stored in sorted((wanted | Counter(history.minutes)).items()):
        found = history.minutes.get((minute, event), 0)
        if found != wanted[minute, event]:
            yield f"minute {minute}, {event}: {found} events in ClickHouse, {wanted[minute, event]} in the topic"
        del stored


CHECKS = (
    Check(
        "tables equal",
        "the changelogs hold what the model's fold of the commands holds, entry by entry",
        ALL,
        _entries,
        _unequal,
        invariant="I8",
    ),
    Check(
        "checkpoints meet",
        "each table's checkpoint is the group's committed offset",
        (OFFSETS, CHANGELOGS),
        lambda history: len(history.changelogs),
        _unmet,
        invariant="I8",
    ),
    Check(
        "places equal",
        "Redis has each order's place as its events tell it",
        (EVENTS, PLACES),
        lambda history: len(history.told),
        _misplaced,
        invariant="I8",
    ),
    Check(
        "units conserved",
        "received and corrected = on hand + consumed; held = placed - consumed - released; shelves add up",
        (EVENTS, FEED, CHANGELOGS),
        lambda history: len(history.named("StockReceived")),
        _unconserved,
        invariant="I1",
    ),
    Check(
        "funnel counted",
        "the funnel's nodes have the orders that reached them",
        (EVENTS, FUNNEL),
        lambda history: len(history.facts_by_order),
        _miscounted,
        invariant="I9",
    ),
    Check(
        "minutes counted",
        "ClickHouse has each minute's events, by name",
        (EVENTS, MINUTES),
        lambda history: len(history.facts),
        _other_minutes,
        invariant="I9",
    ),
)
