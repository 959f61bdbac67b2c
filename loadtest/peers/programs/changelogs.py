"""Makes the changelogs of a Faust app before it starts.

Faust makes them itself when it starts, and may then meet a record before it has heard of their partitions: it takes
that for a mismatch, drops the record, and goes on.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from loadtest.peers.job import PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

TOPIC_SECONDS = 30.0


def make_changelogs(kafka: str, app: str, tables: Iterable[str]) -> None:
    """Make those that are not there."""
    config = {"cleanup.policy": "compact"}
    admin = AdminClient({"bootstrap.servers": kafka})
    new = [NewTopic(f"{app}-{table}-changelog", PARTITIONS, 1, config=config) for table in tables]
    for future in admin.create_topics(new).values():
        with suppress(KafkaException):  # it is there since an earlier start
            future.result(TOPIC_SECONDS)
