"""The librdkafka clients that the engine uses, and the properties they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import confluent_kafka
from confluent_kafka.admin import AdminClient

if TYPE_CHECKING:
    from pipeline.settings import Settings

TRANSACTION_TIMEOUT_SECONDS = 10
"""A dead worker's open transaction holds its readers no longer than this."""
RETRY_BACKOFF_MS = 500
"""How long librdkafka waits before it sends a request again. `transaction.py` builds on it."""
RECORD_BYTES_MAX = 8 * 1024 * 1024
QUEUED_RECORDS_MAX = 2_000_000
QUEUED_KBYTES_MAX = 512 * 1024

Config = dict[str, str | int | float | bool]


def admin(settings: Settings) -> AdminClient:
    """Make an admin client."""
    return AdminClient(_shared(settings))


def producer(settings: Settings) -> confluent_kafka.Producer:
    """Make a producer without transactions: every record once, in order, acknowledged by all replicas."""
    return confluent_kafka.Producer(_shared(settings) | {"enable.idempotence": True, "partitioner": "murmur2_random"})


def transactional_producer(settings: Settings) -> confluent_kafka.Producer:
    """Make the worker's producer: one transactional id a slot, so that a successor fences whoever had the slot before.

    Records are partitioned as Java and Faust do it (murmur2).
    """
    return confluent_kafka.Producer(
        _shared(settings)
        | {
            "transactional.id": f"{settings.deployment}-{settings.slot}",
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_SECONDS * 1000,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            # A commit sends what waits. Before it, each further batch costs the broker a request for each partition,
            # and holds up those who read behind it until this transaction ends.
            "linger.ms": 1000,
            "batch.size": 1024 * 1024,
            "retry.backoff.ms": RETRY_BACKOFF_MS,
            "message.max.bytes": RECORD_BYTES_MAX,
            "queue.buffering.max.messages": QUEUED_RECORDS_MAX,
            "queue.buffering.max.kbytes": QUEUED_KBYTES_MAX,
            "delivery.report.only.error": True,
        }
    )


def group_reader(settings: Settings) -> confluent_kafka.Consumer:
    """Make a consumer that asks for the group's committed offsets; it does not join the group."""
    return confluent_kafka.Consumer(
        _shared(settings)
        | {"group.id": settings.deployment, "enable.auto.commit": False, "isolation.level": "read_committed"}
    )


def committed_reader(settings: Settings) -> confluent_kafka.Consumer:
    """Make a consumer that reads assigned partitions to their ends; it takes part in no group."""
    return confluent_kafka.Consumer(
        _assigned(settings, "restore")
        | {
            "fetch.wait.max.ms": 20,
            # What waits to be read costs some 400 bytes a record beside its own: a million of them, half a gigabyte.
            "fetch.max.bytes": 8 * 1024 * 1024,
            "max.partition.fetch.bytes": 1024 * 1024,
            "queued.min.messages": 10_000,
            "queued.max.messages.kbytes": 64 * 1024,
        }
    )


def partition_reader(settings: Settings) -> confluent_kafka.Consumer:
    """Make the consumer that reads a worker's input; the group is joined, and the offsets are kept, by others."""
    return confluent_kafka.Consumer(
        _assigned(settings, "input")
        | {
            # A fetch is answered as soon as there is a record. A new assignment waits for one that is under way.
            "fetch.wait.max.ms": 100,
            "queued.min.messages": 2000,  # of each partition: a stage behind others is not to wait for all of theirs
            "queued.max.messages.kbytes": 16 * 1024,
            "reconnect.backoff.max.ms": 1000,  # a broker that was started again is found soon
        }
    )


def _assigned(settings: Settings, role: str) -> Config:
    """Give the properties of a consumer that reads what it is assigned, and takes part in no group."""
    return _shared(settings) | {
        "group.id": f"{settings.deployment}.{role}",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        # Offsets come from the caller; one that the log does not have must not be replaced by a guess.
        "auto.offset.reset": "error",
        "fetch.queue.backoff.ms": 2,  # else a partition whose queue was full is left alone for a second
    }


def _shared(settings: Settings) -> Config:
    return {
        "bootstrap.servers": settings.kafka,
        "log_level": 3,
        # By default a client that has lost its last connection forgets all brokers (KIP-1102). librdkafka 2.16 then
        # waits for ever on the forgotten coordinator of the group, and the worker stands still for 30 s and more.
        "metadata.recovery.strategy": "none",
        **settings.kafka_config,
    }
