"""Read what came out: the events, the dead letters, the reviews, the carrier's book, and ClickHouse's counts."""

from __future__ import annotations

import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import orjson

from loadtest.oracle.history import BookEntry, Fact, Letter, StoredPartition
from loadtest.oracle.log import Broker, read_topic
from loadtest.oracle.received import headers
from pipeline.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

ORDER_EVENTS = "order.events"
DEAD_LETTERS = "dead.letters"
ORDERS_REVIEW = "orders.review"
JUDGED = frozenset(
    {"HoldPlaced", "HoldReleased", "HoldConsumed", "StockReceived", "StockAdjusted", "OrderRouted", "WaybillIssued"}
)
"""The events whose facts are judged, beyond their order, cause and state."""
NOTHING: dict[str, Any] = {}
STORED_SQL = (
    "SELECT partition, count(), uniqExact(id), max(offset) FROM order_events GROUP BY partition ORDER BY partition"
)
QUERY_SECONDS = 60.0


def read_facts(broker: Broker) -> list[Fact]:
    """Read every event."""
    facts = []
    for record in read_topic(broker, ORDER_EVENTS):
        _, appended_ms = record.timestamp()
        place = (record.partition() or 0, record.offset() or 0, appended_ms)
        facts.append(fact(orjson.loads(record.value() or b"{}"), *place))
    return facts


def fact(body: Mapping[str, Any], partition: int, offset: int, appended_ms: int) -> Fact:
    """Build a fact from an event's JSON object and where it lies in the log."""
    event = sys.intern(body.get("event", ""))
    return Fact(
        body.get("id", ""),
        partition,
        offset,
        appended_ms,
        event,
        body.get("order_id", ""),
        body.get("cause", ""),
        body.get("fulfilment_id", ""),
        sys.intern(body.get("to", "")),
        body if event in JUDGED else NOTHING,
    )


def read_letters(broker: Broker) -> list[Letter]:
    """Read every dead letter."""
    letters = []
    for record in read_topic(broker, DEAD_LETTERS):
        told = headers(record)
        source = "-".join(told.get(f"source.{part}", "?") for part in ("topic", "partition", "offset"))
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
            yield BookEntry(entry["entry"], entry["order_id"], entry.get("waybill_no", ""))


def read_stored(clickhouse: str) -> list[StoredPartition]:
    """Ask ClickHouse over HTTP what it has of each partition of order.events."""
    return [StoredPartition(*map(int, row)) for row in query(clickhouse, STORED_SQL)]


def query(clickhouse: str, sql: str) -> list[list[Any]]:
    """Ask ClickHouse over HTTP; gives the rows. Raises TransientError when it does not answer."""
    request = urllib.request.Request(clickhouse, f"{sql} FORMAT JSONCompact".encode())  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request, timeout=QUERY_SECONDS) as response:  # noqa: S310
            rows: list[list[Any]] = orjson.loads(response.read())["data"]
    except urllib.error.HTTPError as error:
        message = f"ClickHouse at {clickhouse}: {error.read().decode(errors='replace')[:500]}"
        raise TransientError(message) from error
    except OSError as error:
        message = f"ClickHouse at {clickhouse}: {error}"
        raise TransientError(message) from error
    return rows
