"""Where the group stands, and where the log ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from loadtest.oracle.model.folding import CALLS_TOPIC, MODELS, RAW_TOPIC
from loadtest.oracle.traces import End
from pipeline.errors import TransientError

if TYPE_CHECKING:
    from loadtest.oracle.log import Broker

REQUEST_SECONDS = 10.0
WAIT_SECONDS = 60.0
OPEN_SECONDS = 20.0
"""How long a transaction may still be open: a dead worker's is ended by the broker after 10 s."""
PAUSE_SECONDS = 0.5
INPUTS = (RAW_TOPIC, CALLS_TOPIC, *(model.reads for model in MODELS))
OUTPUTS = ("order.events", "orders.review", "dead.letters", *(f"{model.name}.changelog" for model in MODELS))


def read_offsets(broker: Broker, group: str) -> dict[tuple[str, int], int]:
    """Read the group's committed offsets for all input topics; 0 where there is none.

    A consumer of committed records asks with require_stable: an offset in an open transaction is waited for. Raises
    TransientError.
    """
    config = {"group.id": group, "enable.auto.commit": False, "isolation.level": "read_committed"}
    consumer = Consumer({**broker.kafka_config, "bootstrap.servers": broker.kafka, **config})
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        known = consumer.list_topics(timeout=REQUEST_SECONDS).topics
        wanted = [TopicPartition(topic, n) for topic in INPUTS if topic in known for n in known[topic].partitions]
        while True:
            problem: object
            try:
                found = consumer.committed(wanted, REQUEST_SECONDS)
                problem = next((place.error for place in found if place.error is not None), None)
                if problem is None:
                    return {(place.topic, place.partition): max(0, place.offset) for place in found}
            except KafkaException as error:
                problem = error
            if time.monotonic() > deadline:
                message = f"the committed offsets of group {group} cannot be read: {problem}"
                raise TransientError(message)
            time.sleep(PAUSE_SECONDS)
    finally:
        consumer.close()


def read_ends(broker: Broker) -> list[End]:
    """Read where the partitions end, for both kinds of readers; transactions have a while to come to their end."""
    admin = AdminClient({**broker.kafka_config, "bootstrap.servers": broker.kafka})
    deadline = time.monotonic() + OPEN_SECONDS
    while True:
        ends = _ends(admin)
        if all(end.high == end.stable for end in ends) or time.monotonic() > deadline:
            return ends
        time.sleep(PAUSE_SECONDS)


def _ends(admin: AdminClient) -> list[End]:
    known = admin.list_topics(timeout=REQUEST_SECONDS).topics
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    wanted = {TopicPartition(topic, n): latest for topic in (*INPUTS, *OUTPUTS) for n in known[topic].partitions}
    high, stable = (
        {
            (place.topic, place.partition): future.result(REQUEST_SECONDS).offset
            for place, future in admin.list_offsets(wanted, isolation_level=level).items()
        }
        for level in (IsolationLevel.READ_UNCOMMITTED, IsolationLevel.READ_COMMITTED)
    )
    return [End(topic, partition, offset, stable[topic, partition]) for (topic, partition), offset in high.items()]
