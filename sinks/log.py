"""order.events as the sinks read it: each partition from where the store itself says that it stopped.

Kafka's committed offsets are written for lag monitors and never read. Two members of a group may both believe for a
moment that a partition is theirs; what that can repeat, each store makes harmless.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.errors import EngineError, RefusedStartError, TransientError
from pipeline.kafka_errors import passes
from pipeline.topics import ORDER_EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.settings import Settings
    from sinks.store import Stored

LOG = logging.getLogger(__name__)
RECORDS_MAX = 5000
"""Records of one poll."""
POLL_SECONDS = 0.05
GATHER_SECONDS = 0.1
GATHER_BYTES = 256 * 1024
"""The broker answers when it has so many bytes, or after that time."""
HINT_SECONDS = 1.0
"""Between two commits of hints: each is a record in a log of the broker's, and a monitor looks no more often."""
ANSWER_SECONDS_MAX = 10.0
QUEUED_KILOBYTES_MAX = 16 * 1024
TOPIC = ORDER_EVENTS.name
FOREIGN = "the topic was made again, or the store is another deployment's; use another database, or remove its rows"


class LogRecord(NamedTuple):
    """A record of order.events; `appended_ms` is the broker's time."""

    partition: int
    offset: int
    appended_ms: int
    value: bytes | None


class LogDownError(TransientError):
    """Kafka did not answer."""


class Log:
    """A member of a consumer group. After each assignment it waits in `awaiting` until `start` says where to begin."""

    def __init__(self, settings: Settings, group: str, on_lost: Callable[[], None]) -> None:
        """Join; `on_lost` is called, within `poll` or `close`, when the partitions are taken away."""
        self.awaiting: tuple[int, ...] = ()
        self._on_lost = on_lost
        self._unproved: dict[int, Stored] = {}
        self._read_to: dict[int, int] = {}
        self._hints: dict[int, int] = {}
        self._hinted_at = 0.0
        self._consumer = Consumer(_config(settings, group))
        self._consumer.subscribe([TOPIC], on_assign=self._assign, on_revoke=self._revoke)

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.assign([])
        self.awaiting = tuple(sorted(each.partition for each in partitions))
        LOG.info("%s: assigned %s", TOPIC, self.awaiting)

    def _revoke(self, consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self.awaiting = ()
        self._unproved = {}
        self._read_to = {}
        self._hints = {}
        self._on_lost()
        consumer.unassign()

    def start(self, stored: Mapping[int, Stored], *, accept_gap: bool = False) -> None:
        """Begin to read the awaiting partitions, each after its last stored record.

        Raises RefusedStartError where log and store cannot belong together, LogDownError when Kafka does not answer.
        """
        begin = []
        unproved = {}
        for partition in self.awaiting:
            try:
                low, high = self._consumer.get_watermark_offsets(
                    TopicPartition(TOPIC, partition), timeout=ANSWER_SECONDS_MAX
                )
            except KafkaException as error:
                raise LogDownError(str(error)) from error
            last = stored.get(partition)
            offset = first_offset(partition, last, (low, high), accept_gap=accept_gap)
            if last is not None and last.appended_ms and low <= last.offset:
                # Read the last stored record once more: it must be the very one.
                unproved[partition] = last
                offset = last.offset
            begin.append(TopicPartition(TOPIC, partition, offset))
        self._consumer.assign(begin)
        self._consumer.resume(begin)
        self._unproved = unproved
        self._read_to = {each.partition: each.offset for each in begin}
        self.awaiting = ()
        LOG.info("%s: reads from %s", TOPIC, {each.partition: each.offset for each in begin})

    def poll(self, seconds: float = POLL_SECONDS) -> list[LogRecord]:
        """Give the records of the next `seconds`. Raises EngineError for what a restart must mend."""
        if time.monotonic() - self._hinted_at > HINT_SECONDS:
            self._leave_hints()
        records = []
        for message in self._consumer.consume(RECORDS_MAX, seconds):
            error = message.error()
            partition, offset = message.partition(), message.offset()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the name that librdkafka gives it
                    self._read_to[partition] = offset  # type: ignore[index,assignment]  # of an end both are known
                else:
                    _report(error)
                continue
            record = LogRecord(partition, offset, message.timestamp()[1], message.value())  # type: ignore[arg-type]  # the same
            self._read_to[record.partition] = record.offset + 1
            if self._unproved and self._proves(record):
                continue
            records.append(record)
        return records

    def _proves(self, record: LogRecord) -> bool:
        """Say whether this is the last stored record, read once more. Raises RefusedStartError if it is another."""
        last = self._unproved.pop(record.partition, None)
        if last is None or record.offset != last.offset:
            return False
        if record.appended_ms != last.appended_ms:
            message = (
                f"{TOPIC}-{record.partition}: the record at offset {last.offset} was appended at {record.appended_ms} "
                f"ms, the one stored under that offset at {last.appended_ms} ms: {FOREIGN}"
            )
            raise RefusedStartError(message)
        return True

    def again(self) -> None:
        """Wait for `start` once more, with the same partitions."""
        partitions = tuple(sorted(each.partition for each in self._consumer.assignment()))
        self._consumer.assign([])
        self._unproved = {}
        self._read_to = {}
        self.awaiting = partitions

    def pause(self) -> None:
        """Fetch nothing until `resume`; the membership is kept by polling on."""
        self._consumer.pause(self._consumer.assignment())

    def resume(self) -> None:
        """Fetch again."""
        self._consumer.resume(self._consumer.assignment())

    def commit(self, last: Mapping[int, int]) -> None:
        """Leave a hint for lag monitors, by partition the offset of its last stored record. Nothing depends on it."""
        self._hints |= last

    def _leave_hints(self) -> None:
        self._hinted_at = time.monotonic()
        offsets = [TopicPartition(TOPIC, partition, last + 1) for partition, last in self._hints.items()]
        self._hints = {}
        try:
            if offsets:
                self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            LOG.info("%s: no hint committed: %s", TOPIC, error)

    def unread(self) -> int:
        """Count the records that were not read yet, of the partitions that are read, as far as the client has heard."""
        unread = 0
        for partition, read_to in self._read_to.items():
            _, high = self._consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), cached=True)
            unread += max(0, high - read_to)
        return unread

    def close(self) -> None:
        """Leave the group."""
        self._leave_hints()
        self._consumer.close()


def first_offset(partition: int, last: Stored | None, log: tuple[int, int], *, accept_gap: bool) -> int:
    """Say where to begin; `log` is the log's first offset and its end. Raises RefusedStartError, naming both sides."""
    low, high = log
    next_offset = last.offset + 1 if last else 0
    if next_offset > high:
        message = f"{TOPIC}-{partition}: the store has offset {next_offset - 1}, but the log ends at {high}: {FOREIGN}"
        raise RefusedStartError(message)
    if next_offset < low and not accept_gap:
        has = f"ends at offset {next_offset - 1}" if last else "is empty"
        message = (
            f"{TOPIC}-{partition}: the store {has}, but the log begins at {low}: the records between are gone; "
            "restore the store, or start with --accept-gap to go on without them"
        )
        raise RefusedStartError(message)
    return max(next_offset, low)


def _report(error: KafkaError) -> None:
    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART or passes(error):
        LOG.warning("%s: %s", TOPIC, error)
        return
    message = f"{TOPIC}: {error}"
    raise EngineError(message)


def _config(settings: Settings, group: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": settings.kafka,
        "client.id": group,
        "group.id": group,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # Offsets come from the store; one that the log does not have must not be replaced by a guess.
        "auto.offset.reset": "error",
        "partition.assignment.strategy": "range",
        "session.timeout.ms": int(settings.session_timeout_seconds * 1000),
        "heartbeat.interval.ms": max(100, int(settings.session_timeout_seconds * 1000 / 10)),
        "queued.max.messages.kbytes": QUEUED_KILOBYTES_MAX,
        # A commit becomes readable partition by partition: asked at once, the broker answers for each of them.
        "fetch.wait.max.ms": int(GATHER_SECONDS * 1000),
        "fetch.min.bytes": GATHER_BYTES,
        # A broker that was started again is found within a second, and not within ten.
        "reconnect.backoff.max.ms": 1000,
        # librdkafka 2.16 may wait for ever on brokers that it has forgotten (see pipeline/engine/clients.py).
        "metadata.recovery.strategy": "none",
        **settings.kafka_config,
    }
