"""A plain loop on confluent-kafka: consume, decide, produce, and all of a batch in one transaction (KIP-447).

Its tables are dictionaries, their changed entries go to a changelog in the same transaction, and a start reads that
back. `python -m loadtest.peers.programs.confluent_loop KAFKA APP DIRECTORY`.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

from loadtest.oracle.log import Broker, read_topic
from loadtest.peers.job import (
    BATCH_RECORDS,
    CHANGELOG,
    COMMIT_SECONDS,
    PARTITIONS,
    READS,
    SESSION_SECONDS,
    TRANSACTION_SECONDS,
    WRITES,
)
from loadtest.peers.programs.rule import answer

WAIT_SECONDS = 0.02


class Entries(dict[str, Any]):
    """A table that knows what changed in it, and where that goes."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.changed: dict[str, int] = {}
        self.partition = 0

    def __setitem__(self, key: str, value: Any) -> None:  # noqa: ANN401  a JSON value
        super().__setitem__(key, value)
        self.changed[key] = self.partition


def restore(kafka: str, tables: dict[str, Entries]) -> None:
    """Read the changelog back."""
    for record in read_topic(Broker(kafka, {}), CHANGELOG):
        name, _, key = (record.key() or b"").decode().partition(":")
        dict.__setitem__(tables[name], key, orjson.loads(record.value() or b"null"))


def make_clients(kafka: str, app: str) -> tuple[Consumer, Producer]:
    """Make a consumer of the group, subscribed, and a producer whose transactions are begun."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": app,
            "group.instance.id": f"{app}-0",
            "session.timeout.ms": int(SESSION_SECONDS * 1000),
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 20,
        }
    )
    consumer.subscribe([READS])
    producer = Producer(
        {
            "bootstrap.servers": kafka,
            "transactional.id": f"{app}-0",
            "transaction.timeout.ms": TRANSACTION_SECONDS * 1000,
            "compression.type": "lz4",
            "linger.ms": 1000,  # a commit sends what waits, as in this engine
            "batch.size": 1024 * 1024,
            "queue.buffering.max.messages": 1_000_000,
            "partitioner": "murmur2_random",
        }
    )
    producer.init_transactions()
    return consumer, producer


def main(arguments: list[str]) -> int:
    """Work until killed."""
    kafka, app, _ = arguments
    consumer, producer = make_clients(kafka, app)
    stock, holds = Entries("stock"), Entries("holds")
    restore(kafka, {"stock": stock, "holds": holds})
    while True:
        began = time.monotonic()
        positions: dict[int, int] = {}
        while not positions or time.monotonic() - began < COMMIT_SECONDS:
            records = consumer.consume(BATCH_RECORDS, WAIT_SECONDS)
            if records and not positions:
                producer.begin_transaction()
            for record in records:
                number = stock.partition = holds.partition = record.partition() or 0
                positions[number] = (record.offset() or 0) + 1
                told = answer(stock, holds, orjson.loads(record.value() or b"null"))
                if told is not None:
                    producer.produce(WRITES, orjson.dumps(told), told["order_id"])
        for table in (stock, holds):
            for key, number in table.changed.items():
                producer.produce(CHANGELOG, orjson.dumps(table[key]), f"{table.name}:{key}", number % PARTITIONS)
            table.changed.clear()
        offsets = [TopicPartition(READS, number, offset) for number, offset in positions.items()]
        producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata())
        producer.commit_transaction()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
