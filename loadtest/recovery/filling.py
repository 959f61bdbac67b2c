"""Fill the changelogs as a deployment leaves them: compacted for the most part, the latest transactions as they came.

What compaction removes is removed here before it is sent: waiting for the broker's cleaner would take hours and leave
the same. The latest part stays as transactions wrote it, since the cleaner lets a fifth of a log wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from confluent_kafka import KafkaError, Producer

from loadtest.recovery.remembered import Remembered
from pipeline.errors import TransientError
from pipeline.topics import CHANGELOG_RECORD_BYTES_MAX, changelog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.recovery.orders import Window
    from pipeline.engine.restore import Partition
    from pipeline.settings import Settings

UNCOMPACTED_SHARE = 0.05
"""Of the orders: their last transactions are in the log as they came. What they wrote is counted in the result."""
COMPACTED_ORDERS, TRANSACTION_ORDERS = 50_000, 1_000
FLUSH_SECONDS = 120.0
QUEUED_RECORDS_MAX, QUEUED_KBYTES_MAX = 500_000, 512 * 1024


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """What was written: records and bytes of keys and values, and how many of them compaction would still remove."""

    orders: int
    records: int
    bytes: int
    uncompacted_records: int


class _Log:
    """The changelogs: what is compacted waits here, what is not goes out."""

    def __init__(self, settings: Settings) -> None:
        self.records = self.bytes = 0
        self._failures = failures = list[KafkaError]()
        self._last: dict[Partition, dict[bytes, bytes]] = {}
        self._producer = Producer(
            {
                **settings.kafka_config,
                "bootstrap.servers": settings.kafka,
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 50,
                "batch.size": 1024 * 1024,
                "message.max.bytes": CHANGELOG_RECORD_BYTES_MAX,
                "queue.buffering.max.messages": QUEUED_RECORDS_MAX,
                "queue.buffering.max.kbytes": QUEUED_KBYTES_MAX,
                "delivery.report.only.error": True,
                "on_delivery": lambda error, _: failures.append(error) if error is not None else None,
            }
        )

    def compact(self, place: Partition, changes: Iterator[tuple[bytes, bytes | None]]) -> None:
        """Keep the last record of each key."""
        last = self._last.setdefault(place, {})
        for key, value in changes:
            last.pop(key, None)
            if value is not None:
                last[key] = value

    def send_compacted(self) -> None:
        """Send what was kept."""
        for place, last in self._last.items():
            self.send(place, iter(last.items()))
        self._last.clear()

    def send(self, place: Partition, changes: Iterator[tuple[bytes, bytes | None]]) -> None:
        """Send records, in order."""
        topic, number = place
        for key, value in changes:
            while True:
                try:
                    self._producer.produce(topic, value, key, number)
                except BufferError:
                    self._producer.poll(0.1)
                else:
                    break
            self.records += 1
            self.bytes += len(key) + len(value or b"")

    def flush(self) -> None:
        """Wait until all is acknowledged. Raises TransientError."""
        left = self._producer.flush(FLUSH_SECONDS) + len(self._failures)
        if left:
            message = f"{left} changelog records were not acknowledged"
            raise TransientError(message)


def fill(settings: Settings, window: Window, orders: int, open_orders: int) -> Filled:
    """Write the changelogs after so many orders. Their checkpoints are at offset 0: the inputs are still empty.

    Raises TransientError.
    """
    remembered, log = Remembered(settings, open_orders), _Log(settings)
    places = {key: (changelog(remembered.stage(key[0]).name).name, key[1]) for key in remembered.tables}
    compacted_orders, compacted = orders - int(orders * UNCOMPACTED_SHARE), 0
    for done in remembered.fold(window, orders):
        if done < compacted_orders and done % COMPACTED_ORDERS == 0:
            for key, tables in remembered.tables.items():
                log.compact(places[key], tables.changes())
        elif done == compacted_orders:
            for key, tables in remembered.tables.items():
                log.compact(places[key], tables.changes())
            log.send_compacted()
            compacted = log.records
        elif done > compacted_orders and (done % TRANSACTION_ORDERS == 0 or done == orders):
            for key, tables in remembered.tables.items():
                log.send(places[key], tables.changes())
    log.flush()
    return Filled(orders=orders, records=log.records, bytes=log.bytes, uncompacted_records=log.records - compacted)
