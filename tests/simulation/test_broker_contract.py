"""What the simulated broker and the real one have in common: the same sentences hold of both, told by the same clients.

The engine's runs in the simulator say as much about the engine as this says about the simulator.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, Protocol

import confluent_kafka
import pytest
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.engine.membership import Membership, group_metadata
from tests.simulation.clients import Clients, read_metadata
from tests.simulation.loop import Cells
from tests.simulation.schedule import PLAIN_HABITS, Schedule, Sizes
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulation.group import Joined

SECONDS = 10.0
UNSTABLE_SECONDS = 1.0
JOIN_SECONDS = 20.0
GROUP = "holdfast"
TOPIC = "orders.raw"


class Bench(Protocol):
    """A broker with one topic of one partition, and clients of it."""

    topic: str

    def producer(self, name: str) -> Any: ...  # noqa: ANN401  confluent_kafka's, or one like it

    def consumer(self, isolation: str) -> Any: ...  # noqa: ANN401

    def join(self, instance: str) -> Membership: ...

    def end(self) -> int: ...


class RealBench:
    """The real broker. Names are this test's own."""

    def __init__(self, kafka: str) -> None:
        self.topic = f"contract-{uuid.uuid4().hex[:8]}"
        self._kafka = kafka
        self._members: list[confluent_kafka.Consumer] = []
        admin = AdminClient({"bootstrap.servers": kafka})
        admin.create_topics([NewTopic(self.topic, 1, 1)])[self.topic].result(SECONDS)

    def producer(self, name: str) -> Any:  # noqa: ANN401
        return confluent_kafka.Producer(
            {"bootstrap.servers": self._kafka, "transactional.id": f"{self.topic}-{name}", "log_level": 0}
        )

    def consumer(self, isolation: str) -> Any:  # noqa: ANN401
        return confluent_kafka.Consumer(self._config() | {"isolation.level": isolation, "enable.partition.eof": True})

    def join(self, instance: str) -> Membership:
        config = self._config() | {"group.instance.id": instance, "session.timeout.ms": 6000}
        member = confluent_kafka.Consumer(config)
        self._members.append(member)
        assigned: list[Any] = []
        member.subscribe([self.topic], on_assign=lambda _, partitions: assigned.append(partitions))
        for _ in range(int(JOIN_SECONDS / 0.1)):
            member.poll(0.1)
            if assigned:
                return read_metadata(member.consumer_group_metadata())
        pytest.fail(f"no assignment within {JOIN_SECONDS} s")

    def end(self) -> int:
        consumer = self.consumer("read_uncommitted")
        _, end = consumer.get_watermark_offsets(TopicPartition(self.topic, 0), SECONDS)
        consumer.close()
        return int(end)

    def _config(self) -> dict[str, Any]:
        return {
            "bootstrap.servers": self._kafka,
            "group.id": self.topic,
            "enable.auto.commit": False,
            "log_level": 0,
        }

    def close(self) -> None:
        for member in self._members:
            member.close()


class DirectProcess:
    """A client's process in the simulator that waits for nobody: its requests are answered at once."""

    slot = 0
    is_ended = is_cut = False

    def __init__(self, world: World) -> None:
        self.world = world

    def effect(self, _name: str, request: Callable[[], Any]) -> Any:  # noqa: ANN401  the answer
        answer = request()
        self.wait(1)
        return answer

    def wait(self, milliseconds: int) -> None:
        self.world.now_ms += milliseconds
        self.world.happen()


class SimulatedBench:
    """The simulated broker."""

    topic = TOPIC

    def __init__(self) -> None:
        self._world = World(Schedule(0, Sizes(0, 1, 1, 1), PLAIN_HABITS, (), (), b""), Cells())
        self._world.current = DirectProcess(self._world)  # type: ignore[assignment]  # what clients need of one
        self._clients = Clients(self._world)

    def producer(self, name: str) -> Any:  # noqa: ANN401
        return self._clients.Producer({"transactional.id": name})

    def consumer(self, isolation: str) -> Any:  # noqa: ANN401
        return self._clients.Consumer({"isolation.level": isolation})

    def join(self, instance: str) -> Membership:
        told: list[Joined] = []
        self._world.broker.group.join("", instance, self._world.now_ms, told.append)
        return Membership(GROUP, told[0].generation, told[0].member, instance)

    def end(self) -> int:
        self._world.current.wait(10)
        return self._world.broker.log(TOPIC, 0).end

    def close(self) -> None:
        pass


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.system)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    place = SimulatedBench() if request.param == "simulated" else RealBench(request.getfixturevalue("kafka"))
    yield place
    place.close()


def begun(bench: Bench, name: str = "a") -> Any:  # noqa: ANN401
    producer = bench.producer(name)
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    return producer


def write(bench: Bench, producer: Any, value: bytes) -> None:  # noqa: ANN401
    producer.produce(bench.topic, value, b"key", 0)
    producer.flush(SECONDS)


def read(bench: Bench, isolation: str = "read_committed") -> list[bytes]:
    """Read the topic from its beginning to where this reader finds its end."""
    consumer = bench.consumer(isolation)
    consumer.assign([TopicPartition(bench.topic, 0, OFFSET_BEGINNING)])
    found: list[bytes] = []
    while True:
        for message in consumer.consume(100, 0.05):
            if message.error() is not None:
                assert message.error().code() == KafkaError._PARTITION_EOF  # noqa: SLF001  its public name
                consumer.close()
                return found
            found.append(message.value())


def read_once_marked(bench: Bench, expected: list[bytes]) -> None:
    """Wait until a reader of committed records finds this: markers arrive some time after the commit's answer."""
    deadline = time.monotonic() + SECONDS
    while read(bench) != expected:
        assert time.monotonic() < deadline, read(bench)


def committed(bench: Bench, isolation: str, seconds: float = SECONDS) -> int:
    consumer = bench.consumer(isolation)
    try:
        return int(consumer.committed([TopicPartition(bench.topic, 0)], seconds)[0].offset)
    finally:
        consumer.close()


def send_offset(bench: Bench, producer: Any, offset: int, membership: Membership) -> None:  # noqa: ANN401
    positions = [TopicPartition(bench.topic, 0, offset)]
    producer.send_offsets_to_transaction(positions, group_metadata(membership), SECONDS)


def refused(error: pytest.ExceptionInfo[KafkaException]) -> int:
    return int(error.value.args[0].code())


def test_nobody_sees_a_transaction_before_it_is_committed(bench: Bench) -> None:
    producer = begun(bench)
    write(bench, producer, b"1")
    assert read(bench) == []
    assert read(bench, "read_uncommitted") == [b"1"]
    producer.commit_transaction(SECONDS)
    read_once_marked(bench, [b"1"])
    assert bench.end() == 2  # the marker has an offset too


def test_a_reader_of_committed_records_does_not_pass_an_open_transaction(bench: Bench) -> None:
    first, second = begun(bench, "a"), begun(bench, "b")
    write(bench, first, b"1")
    write(bench, second, b"2")
    second.commit_transaction(SECONDS)
    assert read(bench) == []
    first.commit_transaction(SECONDS)
    read_once_marked(bench, [b"1", b"2"])


def test_a_successor_fences_and_what_was_open_is_never_seen(bench: Bench) -> None:
    former = begun(bench)
    write(bench, former, b"1")
    successor = begun(bench)
    write(bench, successor, b"2")
    with pytest.raises(KafkaException) as error:
        former.commit_transaction(SECONDS)
    assert refused(error) in {KafkaError._FENCED, KafkaError.PRODUCER_FENCED}  # noqa: SLF001
    successor.commit_transaction(SECONDS)
    read_once_marked(bench, [b"2"])
    assert read(bench, "read_uncommitted") == [b"1", b"2"]


def test_stable_offsets_are_told_only_once_no_open_transaction_can_change_them(bench: Bench) -> None:
    member = bench.join("i")
    producer = begun(bench)
    send_offset(bench, producer, 1, member)
    producer.commit_transaction(SECONDS)
    assert committed(bench, "read_committed") == 1
    producer.begin_transaction()
    send_offset(bench, producer, 2, member)
    assert committed(bench, "read_uncommitted") == 1
    with pytest.raises(KafkaException):
        committed(bench, "read_committed", UNSTABLE_SECONDS)
    producer.commit_transaction(SECONDS)
    assert committed(bench, "read_committed") == 2


def test_offsets_are_taken_from_the_group_s_members_alone(bench: Bench) -> None:
    member = bench.join("i")
    for stranger, code in (
        (member._replace(generation=member.generation - 1), KafkaError.ILLEGAL_GENERATION),
        (member._replace(member="nobody", instance=""), KafkaError.UNKNOWN_MEMBER_ID),
        (member._replace(member="nobody"), KafkaError.FENCED_INSTANCE_ID),
    ):
        producer = begun(bench, f"p{code}")
        with pytest.raises(KafkaException) as error:
            send_offset(bench, producer, 1, stranger)
        assert refused(error) == code


def test_who_comes_back_under_an_instance_id_fences_who_had_it(bench: Bench) -> None:
    former = bench.join("i")
    successor = bench.join("i")
    assert successor.generation == former.generation
    producer = begun(bench, "a")
    with pytest.raises(KafkaException) as error:
        send_offset(bench, producer, 1, former)
    assert refused(error) == KafkaError.FENCED_INSTANCE_ID
    other = begun(bench, "b")
    send_offset(bench, other, 1, successor)
    other.commit_transaction(SECONDS)
    assert committed(bench, "read_committed") == 1
