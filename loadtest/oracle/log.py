"""Read a topic afresh: committed records only, from its beginning to its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from confluent_kafka import Message

RECORDS_MAX = 10_000
"""Records taken from librdkafka at once."""
QUEUED_KB_MAX = 32 * 1024
"""What librdkafka keeps ready, over all partitions."""
READ_SECONDS = 0.02
"""How long one look for records lasts."""
FETCH_WAIT_MAX_MS = 20
"""How long the broker may sit on an empty fetch: every partition ends with one, and a check reads thirty topics."""
SILENCE_SECONDS_MAX = 30.0
"""Reading gives up when no record comes for so long before the end."""
COMMITTED, UNCOMMITTED = "read_committed", "read_uncommitted"


class Broker(NamedTuple):
    """Where the log is: bootstrap servers and further librdkafka properties."""

    kafka: str
    kafka_config: Mapping[str, str]


def read_topic(broker: Broker, topic: str, isolation: str = COMMITTED) -> Iterator[Message]:
    """Give the committed records of a topic, each partition in its order, up to where it ends when it is reached.

    With the other isolation, those of aborted and open transactions too. Raises TransientError when the topic is not
    there, or falls silent before its end.
    """
    consumer = Consumer(
        {
            **broker.kafka_config,
            "bootstrap.servers": broker.kafka,
            "group.id": "holdfast-oracle",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": isolation,
            "fetch.wait.max.ms": FETCH_WAIT_MAX_MS,
            "fetch.message.max.bytes": 8 * 1024 * 1024,
            "queued.min.messages": 200_000,
            "queued.max.messages.kbytes": QUEUED_KB_MAX,
            "check.crcs": False,
        }
    )
    try:
        partitions = _partitions(consumer, topic)
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
        yield from _read_to_end(consumer, topic, set(partitions))
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    found = consumer.list_topics(topic, timeout=SILENCE_SECONDS_MAX).topics.get(topic)
    if found is None or found.error is not None:
        message = f"topic {topic} is not there"
        raise TransientError(message)
    return sorted(found.partitions)


def _read_to_end(consumer: Consumer, topic: str, unread: set[int]) -> Iterator[Message]:
    heard = time.monotonic()
    while unread:
        messages = consumer.consume(RECORDS_MAX, READ_SECONDS)
        if messages:
            heard = time.monotonic()
        elif time.monotonic() - heard > SILENCE_SECONDS_MAX:
            message = (
                f"topic {topic}: no record for {SILENCE_SECONDS_MAX:g} s before the end of partitions {sorted(unread)}"
            )
            raise TransientError(message)
        for record in messages:
            error = record.error()
            if error is None:
                yield record
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own name for it
                unread.discard(record.partition())
            else:
                raise KafkaException(error)
