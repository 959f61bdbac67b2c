"""The engine against a real broker: workers are killed and paused, logs and offsets are cut."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import confluent_kafka
import orjson
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from pipeline.services import running
from pipeline.services.process import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "tests" / "engine" / "counting.py"
PAYMENTS = 30_000
ORDERS = 500
SETTLED_SECONDS = 60.0

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


class Deployment:
    """The counting stages on a broker of their own."""

    def __init__(self, directory: Path, kafka: str) -> None:
        self.directory = directory
        self.kafka = kafka
        self.workers: dict[int, subprocess.Popen[bytes]] = {}

    def run(self, word: str, slot: int = 0, **environ: str) -> subprocess.Popen[bytes]:
        given = {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "HOLDFAST_RUN_DIR": str(self.directory),
            "HOLDFAST_SLOT": str(slot),
            "HOLDFAST_SESSION_TIMEOUT_SECONDS": "3",
            "HOLDFAST_CHECKPOINT_WAIT_SECONDS": "3",
            "PYTHONPATH": str(ROOT),
        }
        with (self.directory / f"{word}-{slot}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, str(PROGRAM), word], env=os.environ | given | environ, stdout=log, stderr=log
            )

    def log(self, word: str, slot: int = 0) -> str:
        return (self.directory / f"{word}-{slot}.log").read_text()

    def provision(self) -> None:
        assert self.run("provision").wait(30) == 0, self.log("provision")

    def start(self, slot: int) -> None:
        self.workers[slot] = self.run("worker", slot)

    def produce(self, payments: int) -> None:
        producer = confluent_kafka.Producer({"bootstrap.servers": self.kafka, "partitioner": "murmur2_random"})
        for number in range(payments):
            order = number % ORDERS
            payment = {
                "command": "PayOrder",
                "at": number,
                "pool": f"p{order % 16}",
                "order_id": f"o{order}",
                "paid_minor": 1,
            }
            producer.produce("order.commands", orjson.dumps(payment), f"p{order % 16}")
            producer.poll(0)
        assert producer.flush(30) == 0

    def events(self) -> list[dict[str, object]]:
        """Read all committed events, afresh."""
        consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": self.kafka,
                "group.id": "check",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "enable.auto.commit": False,
            }
        )
        consumer.assign([TopicPartition("order.events", number, 0) for number in range(4)])
        open_, events = set(range(4)), []
        while open_:
            for message in consumer.consume(10_000, 0.5):
                if message.error():
                    open_.discard(message.partition())
                else:
                    events.append(orjson.loads(message.value() or b""))
        consumer.close()
        return events

    def stop(self) -> None:
        for worker in self.workers.values():
            worker.kill()
            worker.wait()


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with running(tmp_path, ("kafka",)) as addresses:
        deployment = Deployment(tmp_path, addresses["kafka"])
        deployment.provision()
        yield deployment
        deployment.stop()


def assert_counted_exactly_once(events: list[dict[str, object]], payments: int) -> None:
    ids = Counter(event["id"] for event in events)
    assert [name for name, times in ids.items() if times > 1] == []
    for stage in ("first", "second"):
        counts = defaultdict(list)
        for event in events:
            if event["stage"] == stage:
                counts[event["order_id"]].append(event["paid_minor"])
        assert sum(map(len, counts.values())) == payments
        assert [order for order, numbers in counts.items() if numbers != list(range(1, len(numbers) + 1))] == []


def test_killed_and_paused_workers_lose_nothing_and_repeat_nothing(deployment: Deployment) -> None:
    chance = random.Random(20_260_101)  # noqa: S311  a fixed choice of faults
    for slot in (0, 1):
        deployment.start(slot)
    hits = Counter[str]()
    for _ in range(8):
        deployment.produce(PAYMENTS // 8)
        time.sleep(chance.uniform(0.5, 2.0))
        slot = chance.choice((0, 1))
        worker = deployment.workers[slot]
        if worker.poll() is None and chance.random() < 0.35:
            worker.send_signal(signal.SIGSTOP)
            time.sleep(4.5)  # past the session timeout: the other worker takes over, and this one comes back a zombie
            worker.send_signal(signal.SIGCONT)
            hits["paused"] += 1
        else:
            worker.kill()
            hits["killed"] += 1
        for other in (0, 1):
            if deployment.workers[other].poll() is not None:
                deployment.start(other)
    assert hits["paused"] >= 1
    assert hits["killed"] >= 3

    def settled() -> bool:
        for slot, worker in deployment.workers.items():
            if worker.poll() is not None:
                deployment.start(slot)
        return len(deployment.events()) >= 2 * (PAYMENTS // 8) * 8

    assert wait_until(settled, SETTLED_SECONDS), deployment.log("worker", 0) + deployment.log("worker", 1)
    assert_counted_exactly_once(deployment.events(), PAYMENTS // 8 * 8)


def test_a_drained_worker_exits_with_0_and_leaves_nothing_open(deployment: Deployment) -> None:
    deployment.start(0)
    deployment.produce(2_000)
    assert wait_until(lambda: len(deployment.events()) > 0, SETTLED_SECONDS)
    deployment.workers[0].terminate()
    assert deployment.workers[0].wait(20) == 0, deployment.log("worker")
    deployment.start(1)
    assert wait_until(lambda: len(deployment.events()) == 4_000, SETTLED_SECONDS), deployment.log("worker", 1)
    assert_counted_exactly_once(deployment.events(), 2_000)


def test_provisioning_again_changes_nothing(deployment: Deployment) -> None:
    deployment.provision()
    assert deployment.log("provision").count("created") == 13


def worked_once(deployment: Deployment) -> None:
    """Let a worker process something, and drain it."""
    deployment.start(0)
    deployment.produce(1_000)
    assert wait_until(lambda: len(deployment.events()) == 2_000, SETTLED_SECONDS), deployment.log("worker")
    deployment.workers[0].terminate()
    assert deployment.workers[0].wait(20) == 0


def assert_refused(deployment: Deployment, *told: str, **environ: str) -> None:
    assert deployment.run("worker", 5, **environ).wait(60) in {2, 78}
    log = deployment.log("worker", 5)
    for words in told:
        assert words in log


def test_a_changelog_that_lost_its_records_is_refused(deployment: Deployment) -> None:
    worked_once(deployment)
    admin = AdminClient({"bootstrap.servers": deployment.kafka})
    # A compacted log is not deleted from by time or hand: what is lost is lost with its topic.
    admin.delete_topics(["first.changelog"])["first.changelog"].result(30)
    assert wait_until(lambda: "first.changelog" not in admin.list_topics(timeout=10).topics, 30)
    assert_refused(deployment, "first.changelog does not exist")
    deployment.provision()
    assert_refused(deployment, "first.changelog", "group holdfast has committed")


def test_a_changelog_that_goes_on_after_its_last_checkpoint_is_refused(deployment: Deployment) -> None:
    worked_once(deployment)
    producer = confluent_kafka.Producer({"bootstrap.servers": deployment.kafka})
    producer.produce("second.changelog", b"\x81\xa6number\x07", b"counts:o1", 2)
    assert producer.flush(30) == 0
    assert_refused(deployment, "second.changelog-2 goes on after its last checkpoint", "Nothing was processed")
    assert len(deployment.events()) == 2_000


def test_lost_offsets_are_refused_and_not_taken_for_a_first_start(deployment: Deployment) -> None:
    worked_once(deployment)
    admin = AdminClient({"bootstrap.servers": deployment.kafka})
    wait_until(lambda: _deleted(admin, "holdfast"), 30)
    assert_refused(deployment, "no committed offset", "python -m pipeline topics")
    assert deployment.run("provision", 6).wait(30) == 2
    assert "would process everything twice" in deployment.log("provision", 6)


def test_another_partition_count_is_refused(deployment: Deployment) -> None:
    assert_refused(deployment, "orders.raw has 4 partitions", "HOLDFAST_PARTITIONS is 8", HOLDFAST_PARTITIONS="8")
    admin = AdminClient({"bootstrap.servers": deployment.kafka})
    admin.create_partitions([NewPartitions("stock.commands", 6)])["stock.commands"].result(30)
    assert_refused(deployment, "stock.commands has 6 partitions")


def _deleted(admin: AdminClient, group: str) -> bool:
    """Delete a group; until its last member is gone the broker refuses."""
    try:
        admin.delete_consumer_groups([group])[group].result(10)
    except confluent_kafka.KafkaException:
        return False
    return True
