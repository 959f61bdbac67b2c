"""Committed offsets are read only when no transaction can change them any more."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import confluent_kafka
import msgspec
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.engine.restore import committed_offsets
from pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.system

TOPIC = "offsets.in"
HELD_OPEN_SECONDS = 1.5


@pytest.fixture
def settings(kafka: str) -> Settings:
    admin = AdminClient({"bootstrap.servers": kafka})
    if TOPIC not in admin.list_topics(timeout=10).topics:
        admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(10)
    return msgspec.structs.replace(Settings(), kafka=kafka, deployment=f"offsets-{time.monotonic_ns()}")


def committed_while_open(settings: Settings, end: Callable[[confluent_kafka.Producer], None]) -> tuple[int, float]:
    """Read the offset while a transaction that would set it to 7 is open; give it, and the seconds that it took."""
    config = {"bootstrap.servers": settings.kafka, "transactional.id": settings.deployment}
    producer = confluent_kafka.Producer(config)
    producer.init_transactions(30)
    producer.begin_transaction()
    reader = confluent_kafka.Consumer({"bootstrap.servers": settings.kafka, "group.id": settings.deployment})
    producer.send_offsets_to_transaction([TopicPartition(TOPIC, 0, 7)], reader.consumer_group_metadata(), 30)
    reader.close()
    ending = threading.Timer(HELD_OPEN_SECONDS, end, [producer])
    ending.start()
    started = time.monotonic()
    offset = committed_offsets(settings, [(TOPIC, 0)])[TOPIC, 0]
    took = time.monotonic() - started
    ending.join()
    return offset, took


def test_an_open_transaction_is_waited_for_and_its_offset_is_read(settings: Settings) -> None:
    offset, took = committed_while_open(settings, lambda producer: producer.commit_transaction(30))
    assert offset == 7
    assert took > HELD_OPEN_SECONDS / 2


def test_an_aborted_transaction_leaves_no_offset(settings: Settings) -> None:
    offset, took = committed_while_open(settings, lambda producer: producer.abort_transaction(30))
    assert offset < 0
    assert took > HELD_OPEN_SECONDS / 2
