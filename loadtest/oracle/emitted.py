"""Read what came out: the events, the dead letters, the reviews, and the carrier's book."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from loadtest.oracle.history import BookEntry, Fact, Letter
from loadtest.oracle.log import UNCOMMITTED, Broker, read_topic
from loadtest.oracle.privacy import Lookout, headers_text
from loadtest.oracle.received import headers
from loadtest.oracle.stored import query
from loadtest.oracle.telling import tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["query"]

ORDER_EVENTS = "order.events"
DEAD_LETTERS = "dead.letters"
ORDERS_REVIEW = "orders.review"
JUDGED: Mapping[str, tuple[str, ...]] = {
    "HoldPlaced": ("pool", "units", "waiting", "sub_pool", "expanded"),
    "HoldRegained": ("pool", "units", "waiting", "sub_pool"),
    "HoldFilled": ("pool", "units", "sub_pool"),
    "HoldExpired": ("pool", "units", "waiting", "sub_pool"),
    "HoldTrimmed": ("pool", "units", "waiting", "sub_pool"),
    "HoldReleased": ("pool", "units", "waiting"),
    "StockTransferred": ("pool", "sku", "units", "from_pool", "to_pool"),
    "FlashOpened": ("pool", "sku", "units", "flash_id"),
    "FlashClosed": ("pool", "sku", "units", "flash_id"),
    "InboundAnnounced": ("pool", "units", "inbound_id"),
    "InboundClosed": ("pool", "units", "inbound_id"),
    "HoldConsumed": ("pool", "units"),
    "StockReceived": ("pool", "feed_id"),
    "StockAdjusted": ("pool", "sku", "change_units"),
    "OrderHeldForReview": ("twin",),
    "OrderTrimmed": ("trim_id",),
    "OrderRouted": ("parts", "scores", "rule_version"),
    "RerouteStarted": ("fulfilment_id", "new_parts", "scores", "rule_version"),
    "PartRerouted": ("fulfilment_id", "new_parts"),
    "WaybillIssued": ("waybill_no",),
    "ShipmentMoved": ("outbound",),
}
"""The events whose facts are judged, beyond their order, cause and state; and which facts."""
NOTHING: dict[str, Any] = {}
OUTBOUND: Mapping[Any, dict[str, Any]] = {outbound: {"outbound": outbound} for outbound in (True, False, None)}
"""Millions of moves share these."""


def read_events(broker: Broker, lookout: Lookout) -> dict[str, Any]:
    """Read every event: the facts, and each order's place as they tell it."""
    facts = []
    places: dict[str, dict[str, str]] = {}
    for record in read_topic(broker, ORDER_EVENTS):
        _, appended_ms = record.timestamp()
        partition, offset, value = record.partition() or 0, record.offset() or 0, record.value() or b"{}"
        lookout.look(ORDER_EVENTS, value)
        body = orjson.loads(value)
        known = fact(body, partition, offset, appended_ms)
        facts.append(known)
        if known.order_id:
            tell(places.setdefault(known.order_id, {}), body, partition, offset)
    pack = msgspec.msgpack.encode
    return {"facts": facts, "told": {order_id: pack(places.pop(order_id)) for order_id in list(places)}}


def fact(body: Mapping[str, Any], partition: int, offset: int, appended_ms: int) -> Fact:
    """Build a fact from an event's JSON object and where it lies in the log."""
    event = sys.intern(body.get("event", ""))
    return Fact(
        body.get("id", ""),
        partition,
        offset,
        appended_ms,
        event,
        sys.intern(body.get("order_id", "")),
        body.get("cause", ""),
        sys.intern(body.get("fulfilment_id", "")),
        sys.intern(body.get("to", "")),
        _judged(event, body) if event in JUDGED else NOTHING,
        sys.intern(body.get("from", "")),
    )


def _judged(event: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keep what is judged, small."""
    if event == "ShipmentMoved":
        return OUTBOUND[body.get("outbound")]
    kept = {name: body[name] for name in JUDGED[event] if name in body}
    if "scores" in kept and kept.get("rule_version") is None:
        del kept["scores"], kept["rule_version"]
    for name in ("units", "waiting"):
        if isinstance(kept.get(name), list):
            kept[name] = _small(kept[name])
    for name in ("parts", "new_parts"):
        if name in kept:
            kept[name] = [{**part, "units": _small(part["units"])} for part in kept[name]]
    return kept


def _small(units: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return [(sys.intern(sku), count) for sku, count in units]


def read_aborted(broker: Broker, committed: int) -> int:
    """Count the records of order.events that only a reader of everything sees; `committed`: those that all see."""
    return max(0, sum(1 for _ in read_topic(broker, ORDER_EVENTS, UNCOMMITTED)) - committed)


def read_letters(broker: Broker, lookout: Lookout) -> list[Letter]:
    """Read every dead letter."""
    letters = []
    for record in read_topic(broker, DEAD_LETTERS):
        told = headers(record)
        source = "-".join(told.get(f"source.{part}", "?") for part in ("topic", "partition", "offset"))
        lookout.look(f"headers of the dead letter of {source}", headers_text(record))
        letters.append(Letter(source, told.get("error.reason", "")))
    return letters


def read_reviews(broker: Broker) -> list[str]:
    """Read the ids of the orders that a person is asked to decide on."""
    return [orjson.loads(record.value() or b"{}").get("order_id", "") for record in read_topic(broker, ORDERS_REVIEW)]


def read_book(path: Path) -> list[BookEntry]:
    """Read the carrier's book: what it took, refused, cancelled, and where the parcels got to."""
    with path.open("rb") as book:
        entries = (orjson.loads(line) for line in book if line.endswith(b"\n"))
        return list(book_entries(entries))


def book_entries(entries: Iterable[Mapping[str, Any]]) -> Iterable[BookEntry]:
    """Keep what is judged of a book's entries."""
    for entry in entries:
        if entry["entry"] in {"accepted", "refused", "cancelled"}:
            number, answered = entry.get("waybill_no", ""), entry.get("answered", True)
            yield BookEntry(entry["entry"], entry["order_id"], number, answered)
