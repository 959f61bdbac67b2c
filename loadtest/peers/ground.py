"""The ground that all are compared on: one broker, its input filled once, emptied of the rest before each run."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]
from confluent_kafka.cimpl import NewTopic

from loadtest.oracle.log import Broker, read_topic
from loadtest.peers.job import CHANGELOG, PARTITIONS, READS, WRITES
from loadtest.peers.model import expect
from pipeline.errors import SetupError
from pipeline.services import processes, running
from pipeline.topics import STOCK_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadtest.peers.job import InputRecord
    from loadtest.peers.model import Expected

REQUEST_SECONDS = 30.0
GONE_SECONDS = 30.0
POLL_SECONDS = 0.1
QUEUED_RECORDS_MAX = 10_000_000


class Ground:
    """A broker with a filled input."""

    def __init__(self, kafka: str, directory: Path) -> None:
        self.kafka = kafka
        self.directory = directory
        self.broker_pid = processes(directory)["kafka"].pid
        self._kept: frozenset[str] = frozenset()
        self._admin = AdminClient({"bootstrap.servers": kafka, "log_level": 3})

    def fill(self, records: Sequence[InputRecord]) -> Expected:
        """Write the input, and read it afresh for what must come of it. Raises SetupError."""
        self._create({READS: dict(STOCK_COMMANDS.config())})
        self._kept = frozenset({READS})
        config = {"bootstrap.servers": self.kafka, "linger.ms": 50, "enable.idempotence": True}
        producer = Producer({**config, "queue.buffering.max.messages": QUEUED_RECORDS_MAX})
        for record in records:
            producer.produce(READS, record.value, record.key, record.partition)
            producer.poll(0)
        if producer.flush(REQUEST_SECONDS):
            message = f"the broker did not take the input within {REQUEST_SECONDS:g} s"
            raise SetupError(message)
        return expect(record.value() or b"" for record in read_topic(Broker(self.kafka, {}), READS))

    def clear(self) -> None:
        """Remove every topic but a filled input, and make the output and the changelog of the plain loops anew."""
        gone = self._deletable()
        if gone:
            for future in self._admin.delete_topics(gone, request_timeout=REQUEST_SECONDS).values():
                future.result()
        deadline = time.monotonic() + GONE_SECONDS
        while self._deletable():
            if time.monotonic() > deadline:
                message = f"{self._deletable()} are still there {GONE_SECONDS:g} s after they were deleted"
                raise SetupError(message)
            time.sleep(POLL_SECONDS)
        self._create({WRITES: {}, CHANGELOG: {"cleanup.policy": "compact"}})

    def _deletable(self) -> list[str]:
        known = self._admin.list_topics(timeout=REQUEST_SECONDS).topics
        return [name for name in known if name not in self._kept and not name.startswith("__")]

    def _create(self, wanted: dict[str, dict[str, str]]) -> None:
        new = [NewTopic(name, PARTITIONS, 1, config=config) for name, config in wanted.items()]
        for future in self._admin.create_topics(new, request_timeout=REQUEST_SECONDS).values():
            future.result()

    def written(self, topic: str) -> int:
        """Count the offsets of a topic, those of transaction markers too; 0 where it is not there yet."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        try:
            futures = self._admin.list_offsets({TopicPartition(topic, number): latest for number in range(PARTITIONS)})
            return sum(future.result(REQUEST_SECONDS).offset for future in futures.values())
        except KafkaException:
            return 0


@contextmanager
def ground(base: Path) -> Iterator[Ground]:
    """Have a broker of its own for a block of code."""
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="peers-", dir=base, ignore_cleanup_errors=True) as name:
        directory = Path(name).resolve()
        with running(directory, ("kafka",)) as addresses:
            yield Ground(addresses["kafka"], directory)
