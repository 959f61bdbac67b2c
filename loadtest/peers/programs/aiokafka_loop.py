"""A plain loop on aiokafka: consume, decide, send, and all of a batch in one transaction.

`python -m loadtest.peers.programs.aiokafka_loop KAFKA APP DIRECTORY`.
"""

from __future__ import annotations

import asyncio
import sys
import time

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from loadtest.peers.job import (
    BATCH_RECORDS,
    CHANGELOG,
    COMMIT_SECONDS,
    READS,
    SESSION_SECONDS,
    TRANSACTION_SECONDS,
    WRITES,
)
from loadtest.peers.programs.confluent_loop import Entries, restore
from loadtest.peers.programs.rule import answer

WAIT_MS = 20


async def _answer_batch(
    consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, stock: Entries, holds: Entries
) -> dict[TopicPartition, int]:
    """Answer what comes within the commit interval. Gives the next offsets."""
    began = time.monotonic()
    positions: dict[TopicPartition, int] = {}
    while not positions or time.monotonic() - began < COMMIT_SECONDS:
        for partition, records in (await consumer.getmany(timeout_ms=WAIT_MS, max_records=BATCH_RECORDS)).items():
            stock.partition = holds.partition = partition.partition
            for record in records:
                told = answer(stock, holds, orjson.loads(record.value))
                if told is not None:
                    await producer.send(WRITES, orjson.dumps(told), told["order_id"].encode())
            positions[partition] = records[-1].offset + 1
    return positions


async def work(kafka: str, app: str) -> None:
    """Work until killed."""
    consumer = AIOKafkaConsumer(
        READS,
        bootstrap_servers=kafka,
        group_id=app,
        group_instance_id=f"{app}-0",
        session_timeout_ms=int(SESSION_SECONDS * 1000),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=WAIT_MS,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka,
        transactional_id=f"{app}-0",
        transaction_timeout_ms=TRANSACTION_SECONDS * 1000,
        compression_type="lz4",
        linger_ms=5,
        max_batch_size=1024 * 1024,
    )
    await producer.start()
    stock, holds = Entries("stock"), Entries("holds")
    restore(kafka, {"stock": stock, "holds": holds})
    await consumer.start()
    while True:
        async with producer.transaction():
            positions = await _answer_batch(consumer, producer, stock, holds)
            for table in (stock, holds):
                for key, number in table.changed.items():
                    value = orjson.dumps(table[key])
                    await producer.send(CHANGELOG, value, f"{table.name}:{key}".encode(), number)
                table.changed.clear()
            await producer.send_offsets_to_transaction(positions, app)


def main(arguments: list[str]) -> int:
    """Work until killed."""
    kafka, app, _ = arguments
    uvloop.install()
    asyncio.run(work(kafka, app))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
