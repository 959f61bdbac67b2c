"""The topics: names, what keys them, how they are kept. The log is the truth: this page is the schema of the system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DAY_MS = 24 * 60 * 60 * 1000
REMEMBERED_MS = 400 * DAY_MS
"""How long a settled order is remembered, by event time: more than a year, so that a yearly batch is still known."""
CHANGELOG_SEGMENT_BYTES = 8 * 1024 * 1024
TOMBSTONES_KEPT_MS = 60 * 60 * 1000
"""A restore, which reads from the beginning to the end, takes seconds: an hour is plenty to see every tombstone."""
RAW_RECORD_BYTES_MAX = 4 * 1024 * 1024
"""The broker takes raw records up to this size, so that an oversized order becomes a dead letter and not a lost one."""

CHANGELOG_RECORD_BYTES_MAX = 4 * 1024 * 1024
"""A page of a table: some 16,000 entries."""


class Topic(NamedTuple):
    """A topic of the deployment: its name, what its records are keyed by, how long they are kept (0: for ever)."""

    name: str
    key: str
    retention_ms: int
    record_bytes_max: int = 1024 * 1024
    compacted: bool = False
    partitions: int = 0
    """0: as many as the deployment has."""

    def config(self) -> Mapping[str, str]:
        """Give the broker's configuration. Records carry the broker's time: an old event time must not expire them."""
        config = {
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(self.record_bytes_max),
            "retention.ms": str(self.retention_ms or -1),
            "retention.bytes": "-1",
            "cleanup.policy": "compact" if self.compacted else "delete",
        }
        if self.compacted:
            # A restore reads what compaction has left, and all of the newest segment: small ones, cleaned soon.
            config |= {
                "min.cleanable.dirty.ratio": "0.2",
                "segment.ms": str(DAY_MS),
                "segment.bytes": str(CHANGELOG_SEGMENT_BYTES),
                "delete.retention.ms": str(TOMBSTONES_KEPT_MS),
            }
        return config


ORDERS_RAW = Topic("orders.raw", "any", 30 * DAY_MS, RAW_RECORD_BYTES_MAX)
ORDER_COMMANDS = Topic("order.commands", "stock pool", 30 * DAY_MS)
STOCK_COMMANDS = Topic("stock.commands", "stock pool", 30 * DAY_MS)
ROUTING_COMMANDS = Topic("routing.commands", "stock pool", 30 * DAY_MS)
WAYBILL_COMMANDS = Topic("waybill.commands", "fulfilment order", 30 * DAY_MS)
CARRIER_CALLS = Topic("carrier.calls", "fulfilment order", 7 * DAY_MS)
TRACKING_COMMANDS = Topic("tracking.commands", "fulfilment order", 30 * DAY_MS)
ORDER_EVENTS = Topic("order.events", "order", 0)
ORDERS_REVIEW = Topic("orders.review", "stock pool", 90 * DAY_MS)
RULES_LOG = Topic("rules.log", "nothing", 0, partitions=1)
"""Every version of the review rules, in order, with who made it and why."""
DEAD_LETTERS = Topic("dead.letters", "the source record's", 90 * DAY_MS, RAW_RECORD_BYTES_MAX + 1024 * 1024)

TOPICS = (
    ORDERS_RAW,
    ORDER_COMMANDS,
    STOCK_COMMANDS,
    ROUTING_COMMANDS,
    WAYBILL_COMMANDS,
    CARRIER_CALLS,
    TRACKING_COMMANDS,
    ORDER_EVENTS,
    ORDERS_REVIEW,
    RULES_LOG,
    DEAD_LETTERS,
)


def changelog(stage: str) -> Topic:
    """Give the changelog of a stage's tables: compacted, one partition for each partition that the stage reads."""
    return Topic(f"{stage}.changelog", "table and key", 0, CHANGELOG_RECORD_BYTES_MAX, compacted=True)


class Table(NamedTuple):
    """A stage's table: a mapping from text to one small immutable value, kept in memory and in the stage's changelog.

    `entries_max` is the size, over all partitions of a worker, at which the worker warns that its plan is too small.
    `settled(value)` says that an entry will hardly change any more: then it moves to a page, where it takes little
    room, and is forgotten when the partition's event time is `keep_ms` past that (0: never). None: no entry settles.
    """

    name: str
    value: type
    keeps: str
    """How long an entry stays, in words."""
    entries_max: int
    settled: Callable[[Any], bool] | None = None
    keep_ms: int = 0
    measure: Callable[[Sequence[Mapping[str, Any]]], None] | None = None
    """Sets metrics from the entries in each of a worker's partitions; called once a second."""
