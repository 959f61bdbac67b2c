"""The load generator: an open loop. It sends each record at its intended time, whatever the pipeline does meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeAlias

from confluent_kafka import KafkaError, Producer

from loadtest.lateness import SendReport, report
from loadtest.scenario import TimedRecord
from pipeline.errors import TransientError
from pipeline.topics import ORDERS_RAW, RAW_RECORD_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from loadtest.scenario import Scenario

CODEC = "lz4"
LINGER_MS = 5
QUEUE_RECORDS_MAX = 1_000_000
QUEUE_KB_MAX = 1024 * 1024
NAP_SECONDS_MIN, NAP_SECONDS_MAX = 0.001, 0.002
"""Between two looks at the clock: how late a record may be by waiting alone. At 5,000/s five go at once."""
PROGRESS_SECONDS = 0.5
FLUSH_SECONDS = 60.0
TOPIC_SECONDS = 30.0

Headers = list[tuple[str, str | bytes | None]]
Config: TypeAlias = "dict[str, str | int | bool | float | Callable[..., None]]"
Progress = tuple[int, float]
"""Records sent so far, and how late the latest since the last time was, in seconds."""


def producer_config(kafka: str, kafka_config: Mapping[str, str], codec: str, linger_ms: int = LINGER_MS) -> Config:
    """Give what every producer of a load has: each record once, in order, and room for all that may have to wait."""
    return {
        **kafka_config,
        "bootstrap.servers": kafka,
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": codec,
        "linger.ms": linger_ms,
        "partitioner": "murmur2_random",
        "message.max.bytes": RAW_RECORD_BYTES_MAX,
        "queue.buffering.max.messages": QUEUE_RECORDS_MAX,
        "queue.buffering.max.kbytes": QUEUE_KB_MAX,
    }


class Outlet:
    """The producers of one generator, one for each compression, and how many of their records were not acknowledged."""

    def __init__(self, kafka: str, kafka_config: Mapping[str, str], linger_ms: int = LINGER_MS) -> None:
        self.failed = 0
        self._linger_ms = linger_ms
        self._kafka = kafka
        self._kafka_config = kafka_config
        self._producers: dict[str, Producer] = {}

    def producer(self, codec: str) -> Producer:
        """Give the producer whose batches are compressed with `codec`."""
        codec = codec or CODEC
        if codec not in self._producers:
            self._producers[codec] = Producer(self._config(codec))
        return self._producers[codec]

    def _config(self, codec: str) -> Config:
        return {
            **producer_config(self._kafka, self._kafka_config, codec, self._linger_ms),
            "delivery.report.only.error": True,
            "on_delivery": self._count_failure,
        }

    def _count_failure(self, error: KafkaError | None, _message: object) -> None:
        if error is not None:
            self.failed += 1

    def wait_for_topic(self, topic: str) -> None:
        """Wait until the broker names the topic: no record waits for it later. Raises TransientError."""
        deadline = time.monotonic() + TOPIC_SECONDS
        while True:
            found = self.producer("").list_topics(topic, timeout=TOPIC_SECONDS).topics.get(topic)
            if found is not None and found.error is None:
                return
            if time.monotonic() > deadline:
                message = f"the broker at {self._kafka} has no topic {topic}: run `python -m pipeline topics`"
                raise TransientError(message)
            time.sleep(0.1)

    def send(self, record: TimedRecord, headers: Headers) -> None:
        """Hand a record over, waiting for room where there is none."""
        producer = self.producer(record.codec)
        while True:
            try:
                producer.produce(record.topic, record.value, record.key, record.partition, headers=headers)
            except BufferError:
                producer.poll(NAP_SECONDS_MAX)
            else:
                return

    def poll(self, seconds: float) -> None:
        """Take in what the broker says for up to `seconds`."""
        self.producer("").poll(seconds)

    def flush(self) -> None:
        """Wait until all is acknowledged; what is not by then has failed."""
        for producer in self._producers.values():
            self.failed += producer.flush(FLUSH_SECONDS)

    def close(self) -> None:
        """Let go of the producers: they hold on to this object by their callbacks, and would outlive their broker."""
        self.flush()
        self._producers.clear()


def replay(
    scenario: Scenario, outlet: Outlet, progress: Callable[[Progress], None], *, at_once: bool = False
) -> SendReport:
    """Send a scenario, each record at its intended time (or all `at_once`), and report.

    The header `intended-ms` says when a record was to be sent, in milliseconds UTC.
    """
    outlet.wait_for_topic(ORDERS_RAW.name)
    late: list[float] = []
    start, start_ms = time.monotonic(), time.time() * 1000
    shown, told = start, 0
    for record in scenario.records:
        due = start if at_once else start + record.offset_seconds
        now = _wait_until(due, outlet)
        intended_ms = int(start_ms + (now - start if at_once else record.offset_seconds) * 1000)
        outlet.send(record, headers_of(record, intended_ms))
        late.append(0.0 if at_once else now - due)
        if now - shown >= PROGRESS_SECONDS:
            shown = now
            outlet.poll(0)
            progress((len(late), max(late[told:])))
            told = len(late)
    outlet.flush()
    progress((len(late), max(late[told:], default=0.0)))
    seconds = time.monotonic() - start
    return report(late, seconds if at_once else scenario.seconds, seconds, outlet.failed)


def _wait_until(due: float, outlet: Outlet) -> float:
    """Wait for the monotonic time `due`; gives the time by then."""
    while (now := time.monotonic()) < due:
        outlet.poll(0)
        time.sleep(min(NAP_SECONDS_MAX, max(NAP_SECONDS_MIN, due - now)))
    return now


def headers_of(record: TimedRecord, intended_ms: int) -> Headers:
    """Give the headers of a record for `orders.raw`; a command to a stage has none."""
    if record.topic != ORDERS_RAW.name:
        return []
    headers: Headers = [("platform", record.platform.encode()), ("intended-ms", b"%d" % intended_ms)]
    headers.extend(record.headers)
    if record.expect:
        headers.append(("expect", record.expect.encode()))
    return headers


def fill(outlet: Outlet, topic: str, records: Iterable[tuple[bytes, bytes]]) -> int:
    """Send (key, value) records at once, and wait for all. Gives their number. Raises TransientError when one fails."""
    outlet.wait_for_topic(topic)
    sent = 0
    for key, value in records:
        outlet.send(TimedRecord(0.0, key, value, topic=topic), [])
        sent += 1
    outlet.flush()
    if outlet.failed:
        message = f"{outlet.failed} of {sent} records for {topic} were not acknowledged"
        raise TransientError(message)
    return sent
