"""All that is known of a run, as plain values: what went in, what came out, and what the world outside has booked."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from loadtest.oracle.traces import Faults, Scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loadtest.oracle.traces import Ack, Changelog, End, Input, ReplayedStage, Sample

Item = TypeVar("Item")

RAW, FEED, EVENTS, LETTERS, REVIEWS, BOOK, STORED = "raw", "feed", "facts", "letters", "reviews", "book", "stored"
INPUTS, OFFSETS, ENDS, CHANGELOGS, PLACES = "inputs", "offsets", "ends", "changelogs", "places"
FUNNEL, MINUTES, PARTS, SCANNED = "funnel", "minutes", "parts", "scanned"
ACKS, FAULTS, SAMPLES, REPLAY, ABORTED = "acks", "faults", "samples", "replay", "aborted"
"""The sources of a history. A check whose source could not be read is invalid; one whose source is not wanted of this
run is left out."""
NO_SCAN = Scan(0, 0, ())
NO_FAULTS = Faults()
Partition = tuple[str, int]
"""A topic, or a stage, and a partition of it."""


class RawMessage(NamedTuple):
    """A record of orders.raw. `kind`: order, payment, cancellation, or empty where it cannot be told."""

    source: str
    """topic-partition-offset."""
    kind: str
    order_id: str
    """Empty where the record does not tell its order."""
    intended_ms: int
    expect: tuple[str, ...]
    """The outcomes that its sender expects; empty: any."""
    units: Mapping[str, int]
    """What an order asks for, or a partial cancellation takes off, by SKU; empty where that cannot be told."""
    key: str | None = None
    trim_id: str = ""
    """Which partial cancellation of its order it is."""


class Delivery(NamedTuple):
    """A ReceiveStock command of stock.commands: goods that a warehouse got, as (SKU, units)."""

    source: str
    pool: str
    feed_id: str
    units: tuple[tuple[str, int], ...]
    inbound_id: str = ""


class Fact(NamedTuple):
    """An event of order.events. `body` is kept for the events whose facts are judged."""

    event_id: str
    partition: int
    offset: int
    appended_ms: int
    event: str
    order_id: str
    cause: str
    fulfilment_id: str
    to: str
    body: Mapping[str, Any]
    came_from: str = ""
    """Its `from`."""


class Letter(NamedTuple):
    """A dead letter: the record that it is of, and why."""

    source: str
    reason: str


class BookEntry(NamedTuple):
    """A line of the carrier's own book: what it did for a fulfilment order."""

    kind: str
    fulfilment_id: str
    waybill_no: str
    answered: bool = True
    """Whether the carrier let its answer through in time."""


class StoredPartition(NamedTuple):
    """What ClickHouse has of a partition of order.events."""

    partition: int
    rows: int
    distinct_ids: int
    offset_max: int
    digests: int = 0
    """The sum of the first 8 bytes of its ids' MD5s, modulo 2^64."""


@dataclass(frozen=True, eq=False)
class History:
    """A run. `missing` names the sources that could not be read, each with the reason."""

    raw: Sequence[RawMessage] = ()
    feed: Sequence[Delivery] = ()
    facts: Sequence[Fact] = ()
    letters: Sequence[Letter] = ()
    reviews: Sequence[str] = ()
    """The orders of orders.review, by id."""
    book: Sequence[BookEntry] = ()
    stored: Sequence[StoredPartition] = ()
    inputs: Mapping[str, Sequence[Input]] = field(default_factory=dict)
    """The records of the stages' input topics but orders.raw, by topic."""
    offsets: Mapping[Partition, int] = field(default_factory=dict)
    """The group's committed offsets, by input topic and partition."""
    ends: Sequence[End] = ()
    changelogs: Mapping[Partition, Changelog] = field(default_factory=dict)
    """By stage and partition."""
    told: Mapping[str, bytes] = field(default_factory=dict)
    """Each order's place as its events tell it, by order, in MessagePack."""
    places: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Each order's place in Redis."""
    funnel: Mapping[str, int] = field(default_factory=dict)
    """ClickHouse's orders by node of the funnel."""
    minutes: Mapping[tuple[int, str], int] = field(default_factory=dict)
    """ClickHouse's events by minute (seconds since 1970, by the broker's clock) and name."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """ClickHouse's active parts, by table and partition."""
    scanned: Scan = NO_SCAN
    acks: Sequence[Ack] = ()
    faults: Faults = NO_FAULTS
    samples: Sequence[Sample] = ()
    replay: Sequence[ReplayedStage] = ()
    aborted: int = 0
    """Records of order.events that no reader of committed records sees."""
    missing: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    """The sources that this run does not have, and need not have."""

    @cached_property
    def raw_by_order(self) -> dict[str, list[RawMessage]]:
        """Give the messages of each order."""
        return _group(self.raw, (message.order_id for message in self.raw))

    @cached_property
    def facts_by_order(self) -> dict[str, list[Fact]]:
        """Give the events of each order, in the order of its partition."""
        return _group(self.facts, (fact.order_id for fact in self.facts))

    @cached_property
    def dead_sources(self) -> frozenset[str]:
        """Give the records that became dead letters."""
        return frozenset(letter.source for letter in self.letters)

    @cached_property
    def _facts_by_event(self) -> dict[str, list[Fact]]:
        return _group(self.facts, (fact.event for fact in self.facts))

    def named(self, *events: str) -> list[Fact]:
        """Give the facts of these events, one event after the other."""
        return [fact for event in events for fact in self._facts_by_event.get(event, ())]


def _group(items: Iterable[Item], keys: Iterable[str]) -> dict[str, list[Item]]:
    """Group by key; items with an empty key belong to nobody."""
    groups: dict[str, list[Item]] = {}
    for item, key in zip(items, keys, strict=True):
        if key:
            groups.setdefault(key, []).append(item)
    return groups
