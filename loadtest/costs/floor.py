"""The floor of this machine: what consuming, producing and committing cost where nothing at all is done with a record.

A loop in this process, with librdkafka and the engine's own producer: read a batch, write each record as it is, commit
input offsets and outputs in one transaction every commit interval. Read alone is measured too. CPU times are of this
process, all its threads, and of the broker.
"""

from __future__ import annotations

import time
from itertools import cycle, islice
from typing import TYPE_CHECKING

import msgspec
import psutil
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # it is there

from pipeline.engine import clients
from pipeline.services import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.settings import Settings

SOURCE, TARGET, GROUP = "floor.in", "floor.out", "floor"
TOPIC_SECONDS = 30.0
BATCH_RECORDS = 1000
MICROSECONDS = 1_000_000


class Cost(msgspec.Struct, frozen=True):
    """CPU microseconds per record: of the process that does it, and of the broker."""

    process: float
    broker: float

    def __sub__(self, other: Cost) -> Cost:
        return Cost(max(0.0, self.process - other.process), max(0.0, self.broker - other.broker))


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """What one record costs."""

    records: int
    record_bytes: float
    null_loop: Cost
    """Read, written and committed."""
    read: Cost
    """Read alone."""
    write: Cost
    """The null loop less the reading: written, and its share of the commits."""


def measure_floor(settings: Settings, values: Sequence[bytes], records: int) -> Floor:
    """Fill a topic with `records` of these values, and put it through the loops."""
    admin = clients.admin(settings)  # its futures live as long as it does
    wanted = [NewTopic(name, settings.partitions, settings.replication) for name in (SOURCE, TARGET)]
    for future in admin.create_topics(wanted).values():
        future.result(TOPIC_SECONDS)
    producer = clients.transactional_producer(msgspec.structs.replace(settings, slot="floor.fill"))
    producer.init_transactions(TOPIC_SECONDS)
    producer.begin_transaction()
    for number, value in enumerate(islice(cycle(values), records)):
        producer.produce(SOURCE, value, str(number))
    producer.commit_transaction(TOPIC_SECONDS)
    measured = _Measured(settings, records)
    measured.cost(lambda: _null_loop(settings, records))  # the first one warms the broker
    null_loop = measured.cost(lambda: _null_loop(settings, records))
    read = measured.cost(lambda: _read(settings, records))
    return Floor(
        records=records,
        record_bytes=sum(map(len, islice(cycle(values), records))) / records,
        null_loop=null_loop,
        read=read,
        write=null_loop - read,
    )


class _Measured:
    def __init__(self, settings: Settings, records: int) -> None:
        self._records = records
        broker = processes(settings.run_dir).get("kafka")
        self._broker = psutil.Process(broker.pid) if broker else None

    def cost(self, work: Callable[[], None]) -> Cost:
        began, broker = time.process_time(), self._broker_seconds()
        work()
        used, by_broker = time.process_time() - began, self._broker_seconds() - broker
        return Cost(used / self._records * MICROSECONDS, by_broker / self._records * MICROSECONDS)

    def _broker_seconds(self) -> float:
        times = self._broker.cpu_times() if self._broker else None
        return times.user + times.system if times else 0.0


def _consumer(settings: Settings) -> Consumer:
    consumer = clients.committed_reader(settings)
    consumer.assign([TopicPartition(SOURCE, number, OFFSET_BEGINNING) for number in range(settings.partitions)])
    return consumer


def _null_loop(settings: Settings, records: int) -> None:
    consumer = _consumer(settings)
    producer = clients.transactional_producer(msgspec.structs.replace(settings, slot="floor"))
    producer.init_transactions(TOPIC_SECONDS)
    producer.begin_transaction()
    produce, done, since = producer.produce, 0, time.monotonic()
    offsets: dict[int, int] = {}
    while done < records:
        for message in consumer.consume(BATCH_RECORDS, 0.02):
            if message.error() is None:
                produce(TARGET, message.value(), message.key())
                offsets[message.partition() or 0] = message.offset() or 0
                done += 1
        if offsets and (time.monotonic() - since >= settings.commit_interval_seconds or done >= records):
            positions = [TopicPartition(SOURCE, number, offset + 1) for number, offset in offsets.items()]
            producer.flush(TOPIC_SECONDS)
            producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata(), TOPIC_SECONDS)
            producer.commit_transaction(TOPIC_SECONDS)
            producer.begin_transaction()
            offsets.clear()
            since = time.monotonic()
    producer.abort_transaction(TOPIC_SECONDS)
    consumer.close()


def _read(settings: Settings, records: int) -> None:
    consumer = _consumer(settings)
    done = 0
    while done < records:
        done += sum(message.error() is None for message in consumer.consume(BATCH_RECORDS, 0.02))
    consumer.close()
