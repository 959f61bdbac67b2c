"""Mutants of the ClickHouse sink: from where it goes on, and what it does after an insert with an unknown result."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from loadtest.chaos.patching import swap
from sinks import clickhouse, log
from sinks.clickhouse import ClickHouseSink, _until_up
from sinks.log import ANSWER_SECONDS_MAX, TOPIC, Log
from sinks.store import Stored

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from pipeline.settings import Settings
    from sinks.blocks import Block
    from sinks.log import LogRecord

COMMIT_EVERY_SECONDS = 5.0
"""The interval in which Kafka's clients commit by themselves where they are not told otherwise."""


def no_offset_probe() -> None:
    """Go on from Kafka's committed offset, and send a block again without asking whether it is there.

    What was stored after the last commit is stored once more (I9). Shown by kills of the sink and of ClickHouse.
    """

    def trusting(_: Callable[..., Any]) -> Callable[..., Any]:
        def _store_block(self: ClickHouseSink, block: Block, gone: threading.Event) -> Block | None:
            def attempt() -> Block:
                self._store.insert(block, f"{self._prefix}{uuid.uuid4()}")
                return block

            return _until_up(attempt, gone)

        return _store_block

    swap(log, "HINT_SECONDS", lambda _: COMMIT_EVERY_SECONDS)
    _resume_from_kafka()
    swap(ClickHouseSink, "_store_block", trusting)


def commits_before_insert() -> None:
    """Commit what was read before it is stored, and go on from there.

    What was in hand is never stored (I9). Shown by kills of the sink, at any moment.
    """

    def eager(poll: Callable[..., list[LogRecord]]) -> Callable[..., list[LogRecord]]:
        def wrapped(self: Log, *seconds: float) -> list[LogRecord]:
            records = poll(self, *seconds)
            self.commit({record.partition: record.offset for record in records})
            return records

        return wrapped

    swap(log, "HINT_SECONDS", lambda _: 0.0)
    swap(Log, "poll", eager)
    _resume_from_kafka()


def rows_never_merge() -> None:
    """Keep every row that is written, equal or not: the table's engine is MergeTree instead of ReplacingMergeTree."""

    def wrap(original: Callable[[], tuple[str, ...]]) -> Callable[[], tuple[str, ...]]:
        def schema_statements() -> tuple[str, ...]:
            return tuple(statement.replace("ReplacingMergeTree", "MergeTree") for statement in original())

        return schema_statements

    swap(clickhouse, "schema_statements", wrap)


def _resume_from_kafka() -> None:
    """Ask Kafka where to go on, by a consumer of its own: a member that asks in a rebalance waits for itself."""
    readers: list[Consumer] = []

    def open_reader(original: Callable[..., None]) -> Callable[..., None]:
        def __init__(self: Log, settings: Settings, group: str, on_lost: Callable[[], None]) -> None:  # noqa: N807
            original(self, settings, group, on_lost)
            if not readers:
                # The ClickHouse sink's or the projection's: only the former asks.
                readers.append(
                    Consumer({"bootstrap.servers": settings.kafka, "group.id": f"{settings.deployment}.sink"})
                )

        return __init__

    def wrap(_: Callable[..., Any]) -> Callable[..., Any]:
        def _resume_points(self: ClickHouseSink, partitions: tuple[int, ...], gone: Any) -> dict[int, Stored] | None:  # noqa: ANN401
            del self, gone
            try:
                asked = [TopicPartition(TOPIC, partition) for partition in partitions]
                found = readers[0].committed(asked, ANSWER_SECONDS_MAX)
            except KafkaException:
                return None
            return {each.partition: Stored(each.offset - 1, 0) for each in found if each.offset > 0}

        return _resume_points

    swap(Log, "__init__", open_reader)
    swap(ClickHouseSink, "_resume_points", wrap)
