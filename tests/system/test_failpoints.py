"""A worker of the test build dies at each failpoint, before a real broker, and its successors make good for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import confluent_kafka
import orjson
import pytest
from confluent_kafka import TopicPartition

from loadtest.chaos.failpoints import NAMES, RECORD_FILE
from pipeline.services import running
from pipeline.services.process import wait_until
from pipeline.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAYMENTS = 40
SECONDS_MAX = 30.0

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


def worker(directory: Path, kafka: str, failpoint: str = "", word: str = "worker") -> subprocess.Popen[bytes]:
    given = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "HOLDFAST_RUN_DIR": str(directory),
        "HOLDFAST_SESSION_TIMEOUT_SECONDS": "3",
        "HOLDFAST_FAILPOINT": failpoint,
    }
    with (directory / "worker.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "loadtest.chaos.build", word],
            cwd=ROOT,
            env=os.environ | given,
            stdout=log,
            stderr=log,
        )


def pay(kafka: str, first: int) -> None:
    """Pay for orders that never came: dedup parks each payment, with one event and one table entry."""
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})
    for number in range(first, first + PAYMENTS):
        payment = {"command": "PayOrder", "at": number, "pool": "p", "order_id": f"o{number}", "paid_minor": 1}
        producer.produce("order.commands", orjson.dumps(payment), f"p{number}")
    assert producer.flush(30) == 0


def parked(kafka: str) -> Counter[str]:
    """Count the committed events of each order."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": kafka, "group.id": "check", "enable.partition.eof": True, "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition("order.events", number, 0) for number in range(4)])
    open_, orders = set(range(4)), Counter[str]()
    while open_:
        for message in consumer.consume(1_000, 0.5):
            if message.error():
                open_.discard(message.partition())
            else:
                orders[orjson.loads(message.value() or b"")["order_id"]] += 1
    consumer.close()
    return orders


def test_a_worker_dies_at_each_failpoint_and_nothing_is_lost_or_repeated(tmp_path: Path) -> None:
    with running(tmp_path, ("kafka",)) as addresses:
        kafka = addresses["kafka"]
        assert worker(tmp_path, kafka, word="topics").wait(SECONDS_MAX) == 0, (tmp_path / "worker.log").read_text()
        for number, name in enumerate(NAMES):
            pay(kafka, number * PAYMENTS)
            dying = worker(tmp_path, kafka, f"{name}:1")
            assert dying.wait(SECONDS_MAX) == -signal.SIGKILL, f"{name}\n{(tmp_path / 'worker.log').read_text()}"
        last = worker(tmp_path, kafka)
        expected = {f"o{number}": 1 for number in range(len(NAMES) * PAYMENTS)}
        try:
            assert wait_until(lambda: len(parked(kafka)) == len(expected), SECONDS_MAX)
        finally:
            last.terminate()
            last.wait()
        assert parked(kafka) == expected
        lines = [json.loads(line) for line in (tmp_path / RECORD_FILE).read_text().splitlines()]
        assert [line["failpoint"] for line in lines] == list(NAMES)
