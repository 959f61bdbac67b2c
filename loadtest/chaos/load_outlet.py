"""How the load of a chaos run leaves: producers that outlast a broker's absence, and a file of acknowledgements."""

from __future__ import annotations

import time
from typing import IO, TYPE_CHECKING

import msgspec
from confluent_kafka import KafkaError, Message, Producer

from loadtest.generator import CODEC, headers_of, producer_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtest.scenario import TimedRecord
    from pipeline.settings import Settings

MESSAGE_SECONDS = 600
RECONNECT_MS_MAX = 500
REQUEST_MS = 5_000
FLUSH_SECONDS = 300.0
POLL_SECONDS = 0.1


class AckedOutlet:
    """Sends records, and notes every acknowledgement. Nothing is sent twice and nothing in another order."""

    def __init__(self, settings: Settings, acks: IO[bytes]) -> None:
        self.sent = 0
        self.acknowledged = 0
        self.failed = 0
        self._settings = settings
        self._acks = acks
        self._lines = bytearray()
        self._producers: dict[str, Producer] = {}

    def send(self, record: TimedRecord) -> None:
        """Hand a record over, waiting for room where there is none."""
        headers = headers_of(record, time.time_ns() // 1_000_000)
        producer = self._producer(record.codec or CODEC)
        while True:
            try:
                producer.produce(
                    record.topic,
                    record.value,
                    record.key,
                    record.partition,
                    headers=headers,
                    on_delivery=self._delivered,
                )
            except BufferError:
                producer.poll(POLL_SECONDS)
            else:
                self.sent += 1
                return

    def _producer(self, codec: str) -> Producer:
        if codec not in self._producers:
            self._producers[codec] = Producer(
                {
                    **producer_config(self._settings.kafka, self._settings.kafka_config, codec),
                    "log_level": 3,
                    "message.timeout.ms": MESSAGE_SECONDS * 1000,
                    "request.timeout.ms": REQUEST_MS,
                    "reconnect.backoff.max.ms": RECONNECT_MS_MAX,
                }
            )
        return self._producers[codec]

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failed += 1
            return
        self.acknowledged += 1
        key = message.key()
        text = key.decode(errors="replace") if isinstance(key, bytes) else key
        self._lines += msgspec.msgpack.encode((message.topic(), message.partition(), message.offset(), text))

    def poll(self, seconds: float) -> None:
        """Take in what the broker says for up to `seconds` in all."""
        for producer in list(self._producers.values()):
            producer.poll(seconds / len(self._producers))
        if not self._producers:
            time.sleep(seconds)

    def write(self) -> None:
        """Write down the acknowledgements that came."""
        self._acks.write(self._lines)
        self._acks.flush()
        self._lines.clear()

    def flush(self, meanwhile: Callable[[], None]) -> None:
        """Wait until all is acknowledged; what is not by then has failed."""
        deadline = time.monotonic() + FLUSH_SECONDS
        while self.acknowledged + self.failed < self.sent and time.monotonic() < deadline:
            self.poll(POLL_SECONDS)
            meanwhile()
        self.failed += self.sent - self.acknowledged - self.failed
        self.write()
