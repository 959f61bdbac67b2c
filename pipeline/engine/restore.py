"""Restore: read the changelogs of assigned partitions to their ends, and check them against the group's offsets."""

from __future__ import annotations

import ctypes
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import confluent_kafka
from confluent_kafka import KafkaException, TopicPartition

from pipeline import metrics, topics
from pipeline.engine import clients
from pipeline.engine.tables import PartitionTables
from pipeline.errors import EngineError, RefusedStartError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pipeline.engine.stage import DecidingStage
    from pipeline.settings import Settings

OFFSETS_WAIT_SECONDS = 60.0
OFFSETS_REQUEST_SECONDS = 5.0
PAUSE_SECONDS = 0.2
READ_RECORDS_MAX = 10_000
READ_SECONDS = 0.02

Partition = tuple[str, int]
"""A stage's input: topic and partition."""


def committed_offsets(settings: Settings, partitions: Collection[Partition]) -> dict[Partition, int]:
    """Read the group's committed offsets (-1001: none), waiting out transactions that could still change them.

    A consumer that reads committed records asks with require_stable. The admin client can ask that too, but it crashes
    the process while the group's coordinator moves or loads (librdkafka 2.16: a null group in rd_kafka_cgrp_op).
    """
    consumer = clients.group_reader(settings)
    deadline = time.monotonic() + OFFSETS_WAIT_SECONDS
    try:
        while True:
            problem: object = None
            try:
                found = consumer.committed(
                    [TopicPartition(topic, number) for topic, number in sorted(partitions)], OFFSETS_REQUEST_SECONDS
                )
                problem = next((f"{p.topic}-{p.partition}: {p.error}" for p in found if p.error is not None), None)
                if problem is None:
                    return {(p.topic, p.partition): p.offset for p in found}
            except KafkaException as error:
                problem = error
            if time.monotonic() > deadline:
                message = f"the committed offsets of group {settings.deployment} cannot be read: {problem}"
                raise EngineError(message)
            time.sleep(PAUSE_SECONDS)
    finally:
        consumer.close()


class Restorer:
    """Restores the tables of stages, on a thread that may block."""

    def __init__(self, settings: Settings, stages: Collection[DecidingStage]) -> None:
        self._settings = settings
        self._stages = {stage.reads.name: stage for stage in stages if stage.tables}

    def committed(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """Read the offsets to resume from. Raises RefusedStartError where a partition has none."""
        offsets = committed_offsets(self._settings, partitions)
        for (topic, number), offset in sorted(offsets.items()):
            if offset < 0:
                message = (
                    f"group {self._settings.deployment} has no committed offset for {topic}-{number}: run "
                    "`python -m pipeline topics` once for a new deployment; in an old one the offsets were lost"
                )
                raise RefusedStartError(message)
        return offsets

    def restore(
        self, offsets: Mapping[Partition, int], is_current: Callable[[], bool]
    ) -> dict[Partition, PartitionTables]:
        """Restore the tables of the given inputs, up to exactly the group's offsets.

        Stops half-way when the restore is not current any more: then what it gives is void. Raises RefusedStartError,
        naming checkpoint and offset, where they do not meet in time.
        """
        size = self._settings.page_entries
        found = {key: PartitionTables(self._stages[key[0]], size) for key in offsets if key[0] in self._stages}
        if found:
            started = time.monotonic()
            records = self._read(found, offsets, is_current)
            for key, tables in found.items() if is_current() else ():
                if not tables.is_whole:
                    self._refuse_torn(key)
                tables.finish()
            give_back_memory()
            metrics.RESTORE_SECONDS.observe(time.monotonic() - started)
            metrics.RESTORED_RECORDS.inc(records)
        return found

    def _read(
        self,
        found: Mapping[Partition, PartitionTables],
        offsets: Mapping[Partition, int],
        is_current: Callable[[], bool],
    ) -> int:
        """Read the changelogs to their ends, and on until every checkpoint meets its offset. Gives the records read."""
        restore = {(self._changelog(topic), number): tables.restore for (topic, number), tables in found.items()}
        consumer = clients.committed_reader(self._settings)
        consumer.assign([TopicPartition(log, number, confluent_kafka.OFFSET_BEGINNING) for log, number in restore])
        reading, records, deadline = set(restore), 0, 0.0
        try:
            while is_current() and (reading or not self._met(found, offsets)):
                if not reading:
                    deadline = deadline or time.monotonic() + self._settings.checkpoint_wait_seconds
                    if time.monotonic() > deadline:
                        self._refuse(found, offsets)
                    offsets = self.committed(found)
                for message in consumer.consume(READ_RECORDS_MAX, READ_SECONDS):
                    log: Any = message.topic(), message.partition()
                    if message.error() is None:
                        restore[log](message.key() or b"", message.value())
                        records += 1
                    else:
                        _check_end(message)
                        reading.discard(log)
        finally:
            consumer.close()
        return records

    def _changelog(self, topic: str) -> str:
        return topics.changelog(self._stages[topic].name).name

    @staticmethod
    def _met(found: Mapping[Partition, PartitionTables], offsets: Mapping[Partition, int]) -> bool:
        return all(tables.next_offset == offsets[key] for key, tables in found.items())

    def _refuse_torn(self, key: Partition) -> None:
        message = (
            f"{self._changelog(key[0])}-{key[1]} goes on after its last checkpoint: half of a transaction is in it, "
            "written by another program or committed by the broker alone. Nothing was processed. Restore the changelog "
            "from a copy"
        )
        raise RefusedStartError(message)

    def _refuse(self, found: Mapping[Partition, PartitionTables], offsets: Mapping[Partition, int]) -> None:
        (topic, number), tables = next(
            item for item in sorted(found.items()) if item[1].next_offset != offsets[item[0]]
        )
        message = (
            f"the tables of {self._changelog(topic)}-{number} are at offset {tables.next_offset} of {topic}-{number}, "
            f"but group {self._settings.deployment} has committed {offsets[topic, number]}: the changelog or the "
            "offsets were cut, or a second deployment uses the same name. Nothing was processed. Restore the changelog "
            "from a copy, or give this deployment a name of its own (HOLDFAST_DEPLOYMENT)"
        )
        raise RefusedStartError(message)


def give_back_memory() -> None:
    """Give the pages that a restore has freed back to the system: glibc keeps them, as much again as the tables take.

    Other C libraries have no such function, and need none.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _check_end(message: confluent_kafka.Message) -> None:
    """Raise EngineError unless all that a message says is that its partition's end was reached."""
    error = message.error()
    if error is not None and error.code() != confluent_kafka.KafkaError._PARTITION_EOF:  # noqa: SLF001  its public name
        text = f"the changelog {message.topic()}-{message.partition()} cannot be read: {error}"
        raise EngineError(text)
