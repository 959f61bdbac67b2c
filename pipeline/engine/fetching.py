"""Reads the partitions that the group gave to this worker, with librdkafka, on a thread of its own.

Membership and positions are set together, on the thread that reads: so what a fetch gives was read under the membership
that it names, from the offsets that were assigned with it, and nothing needs to be sought back after a rebalance.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaError, TopicPartition

from pipeline.engine import clients
from pipeline.engine.blocking import Blocking
from pipeline.engine.stage import Record
from pipeline.errors import EngineError
from pipeline.kafka_errors import passes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pipeline.engine.membership import Membership
    from pipeline.engine.restore import Partition
    from pipeline.settings import Settings

FETCH_SECONDS = 0.1
"""How long a fetch waits for a first record; an assignment waits for it."""
FETCH_RECORDS_MAX = 4000
HELD_RECORDS_MAX = 4000
"""So many records of a partition whose stage is busy are held here; then no more of it is read until they are taken."""

log = logging.getLogger(__name__)


class Fetched(NamedTuple):
    """What a fetch gave, by partition in the order of the offsets, and the membership under which it was read."""

    membership: Membership | None
    records: Mapping[Partition, list[Record]]


class Fetcher:
    """A reader that takes part in no group. One call at a time does something; the others wait for it."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = clients.partition_reader(settings)
        self._block = Blocking("fetch").run
        self._membership: Membership | None = None
        self._held: dict[Partition, list[Record]] = {}
        self._paused: set[Partition] = set()
        self._read_to: dict[Partition, int] = {}

    async def assign(self, membership: Membership | None, offsets: Mapping[Partition, int]) -> None:
        """Read these partitions from these offsets on, under this membership, and forget what was read before."""
        await self._block(self._assign, membership, dict(offsets))

    async def fetch(self, active: Collection[Partition]) -> Fetched:
        """Give what there is of the active partitions, or nothing after FETCH_SECONDS.

        Records of other partitions are held until they are active. Raises EngineError for what does not heal by itself.
        """
        return await self._block(self._fetch, frozenset(active))

    def read_and_written(self, partition: Partition) -> tuple[int, int] | None:
        """Give the offset behind what was read and the log's end, without a round trip; None while one is not known."""
        read_to = self._read_to.get(partition)
        _, end = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
        return None if read_to is None or end < 0 else (read_to, end)

    async def close(self) -> None:
        """Hang up."""
        await self._block(self._consumer.close)

    # --- on the thread that reads ---

    def _assign(self, membership: Membership | None, offsets: dict[Partition, int]) -> None:
        self._membership, self._held, self._paused, self._read_to = membership, {}, set(), offsets
        positions = [TopicPartition(topic, number, offset) for (topic, number), offset in offsets.items()]
        self._consumer.assign(positions)
        self._consumer.resume(positions)  # a pause outlives an assignment

    def _fetch(self, active: frozenset[Partition]) -> Fetched:
        # `consume` waits for as many records as it is asked for; `poll` for one.
        first = self._consumer.poll(0 if active & self._held.keys() else FETCH_SECONDS)
        if first is not None:
            self._take((first, *self._consumer.consume(FETCH_RECORDS_MAX, 0)))
        given = {partition: self._held.pop(partition) for partition in active & self._held.keys()}
        self._match_pauses()
        return Fetched(self._membership, given)

    def _take(self, messages: Iterable[Any]) -> None:
        """Note records and ends of partitions. Messages are untyped: of one that was read, all places are known."""
        held, read_to = self._held, self._read_to
        for message in messages:
            topic, number, offset = message.topic(), message.partition(), message.offset()
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  its public name
                    read_to[topic, number] = offset
                else:
                    _report(error, f"{topic}-{number}")
                continue
            _, timestamp_ms = message.timestamp()
            headers = message.headers() or ()
            record = Record(topic, number, offset, timestamp_ms, message.key(), message.value(), headers)
            records = held.get((topic, number))
            if records is None:
                records = held[topic, number] = []
            records.append(record)
            read_to[topic, number] = offset + 1

    def _match_pauses(self) -> None:
        """Read no more of a partition of which too much is held; read on where that was taken."""
        full = {partition for partition, records in self._held.items() if len(records) >= HELD_RECORDS_MAX}
        if full != self._paused:
            self._consumer.pause([TopicPartition(*partition) for partition in full - self._paused])
            self._consumer.resume([TopicPartition(*partition) for partition in self._paused - full])
            self._paused = full


def _report(error: KafkaError, place: str) -> None:
    """Raise EngineError for an error that does not pass by itself; the client goes on trying after the others."""
    message = f"{place} cannot be read: {error}"
    if not passes(error):
        raise EngineError(message)
    log.warning("%s", message)
