"""Kafka clients on the simulated broker, with the methods of confluent_kafka that the engine calls.

They read the properties that the engine gives them (transactional.id, isolation.level), so the engine's own client
module runs unchanged. Each request and each answer is a point where the process may be killed, stopped or kept waiting.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from pipeline.engine.membership import MAGIC, Membership
from tests.simulation.broker import CONCURRENT, Draft, ProtocolError
from tests.simulation.faults import REPEATED_COMMIT, REPEATED_OFFSETS, Act

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import TopicPartition

    from tests.simulation.broker import Transaction
    from tests.simulation.log import Entry, Partition
    from tests.simulation.process import Process
    from tests.simulation.world import World

TRY_AGAIN_MS = 20
READ_RECORDS_MAX = 16
"""Records that a reader gets at once: few, so that a restore has many moments."""
BACKOFF_LEAST = 0.8
"""librdkafka asks again after its retry.backoff.ms, or up to a fifth sooner."""


class Position(NamedTuple):
    """A partition's committed offset."""

    topic: str
    partition: int
    offset: int
    error: KafkaError | None = None


class Message:
    """A record, or the news of a partition's end, as confluent_kafka hands it out."""

    def __init__(self, partition: Partition, entry: Entry | None) -> None:
        self._partition = partition
        self._entry = entry

    def topic(self) -> str:
        return self._partition[0]

    def partition(self) -> int:
        return self._partition[1]

    def key(self) -> bytes | None:
        return self._entry.key if self._entry else None

    def value(self) -> bytes | None:
        return self._entry.value if self._entry else None

    def error(self) -> KafkaError | None:
        return None if self._entry else KafkaError(KafkaError._PARTITION_EOF)  # noqa: SLF001  its public name


class Clients:
    """Stands where the engine's client module has `confluent_kafka`. The process that runs now owns what it makes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def Producer(self, config: Mapping[str, Any]) -> Producer:  # noqa: N802  confluent_kafka's name
        """Make a producer."""
        return Producer(self._world.current, str(config["transactional.id"]), int(config.get("retry.backoff.ms", 100)))

    def Consumer(self, config: Mapping[str, Any]) -> Consumer:  # noqa: N802
        """Make a consumer."""
        return Consumer(self._world.current, is_committed=config["isolation.level"] == "read_committed")


class Producer:
    """A transactional producer. What it is given waits in its queue until the commit, or until a part is sent early."""

    def __init__(self, process: Process, name: str, backoff_ms: int) -> None:
        self._process = process
        self._world = process.world
        self._broker = process.world.broker
        self._name = name
        self._backoff_ms = backoff_ms
        self._epoch = -1
        self._queue: list[Draft] = []
        self._added: set[Partition] = set()
        """The partitions that the broker has been told of in this transaction."""
        self._error: KafkaException | None = None

    def produce(self, topic: str, value: bytes | None, key: bytes | str | None, *more: Any) -> None:  # noqa: ANN401  librdkafka's
        """Queue a record: topic, value, key, partition, callbacks, timestamp, headers."""
        name = key.encode() if isinstance(key, str) else key
        headers = tuple(more[4]) if len(more) > 4 and more[4] else ()
        self._queue.append(Draft(topic, name, value, headers, more[0] if more else -1))
        if self._world.sends_early and self._world.choose(8) == 1:
            self._world.later(self._send_early)

    def init_transactions(self, _seconds: float) -> None:
        """Fence the former holder of the transactional id."""
        self._epoch = self._ask("begin", lambda: self._broker.init_producer(self._name))

    def begin_transaction(self) -> None:
        """Begin; the broker hears of it with the first record."""
        self._added.clear()

    def send_offsets_to_transaction(
        self, positions: Sequence[TopicPartition], metadata: bytes, _seconds: float
    ) -> None:
        """Put offsets into the transaction, under the membership that these bytes tell."""
        offsets = {(p.topic, p.partition): p.offset for p in positions}
        membership = read_metadata(metadata)
        epoch = self._epoch

        def send() -> None:
            self._broker.send_offsets(self._name, epoch, offsets, membership)

        self._repeat_late(REPEATED_OFFSETS, send, lambda open_: bool(open_.offsets))
        self._ask("offsets", send)

    def flush(self, _seconds: float) -> int:
        """Send what is queued. What fails is told by the commit."""
        if self._queue and self._error is None:
            some = self._world.choose(len(self._queue))
            if some:
                self._ask("produce", lambda: self._send(some))
            self._ask("produce", self._send)
        return 0

    def commit_transaction(self, seconds: float) -> None:
        """Send what is queued, and decide. An answer that is lost on the way makes the client ask again, silently."""
        self.flush(seconds)
        if self._error is not None:
            raise self._error
        epoch = self._epoch

        def end() -> None:
            self._broker.end(self._name, epoch, commit=True)

        self._repeat_late(REPEATED_COMMIT, end, lambda _: True)
        self._ask("commit", end)

    def _repeat_late(self, name: str, request: Callable[[], None], hurts: Callable[[Transaction], bool]) -> None:
        """Send a request that is lost for now: the client asks again, silently, and this one arrives later.

        It `hurts` most where it meets a transaction that was not open yet when it was sent.
        """
        if self._world.storm.strike(self._process, name) is not Act.REPEAT_LATE:
            return
        identity = self._broker.identities[self._name]
        first = identity.current
        self._process.wait(round(self._backoff_ms * BACKOFF_LEAST))

        def is_awaited() -> bool:
            now = identity.current
            return now is not None and now is not first and now.commit is None and hurts(now)

        self._world.storm.arrive_late(request, is_awaited)

    def _send(self, records: int | None = None) -> None:
        self._broker.append_in_transaction(self._name, self._epoch, self._queue[:records], self._added)
        del self._queue[:records]

    def _send_early(self) -> None:
        """Send the oldest records, as librdkafka does when its linger time is over."""
        if self._process.is_ended or not self._queue or self._process.is_cut:
            return
        try:
            self._send(1 + self._world.choose(len(self._queue)))
        except ProtocolError as error:
            if error.code != CONCURRENT:
                self._error = failure(error.code)

    def _ask(self, name: str, request: Callable[[], Any]) -> Any:  # noqa: ANN401  the answer's
        """Ask the broker, again as long as an earlier transaction is being decided."""
        while True:
            try:
                return self._process.effect(name, request)
            except ProtocolError as error:
                if error.code != CONCURRENT:
                    raise failure(error.code) from error
            self._process.wait(TRY_AGAIN_MS)


class Consumer:
    """A consumer that is in no group: it asks for the group's offsets, or reads assigned partitions."""

    def __init__(self, process: Process, *, is_committed: bool) -> None:
        self._process = process
        self._world = process.world
        self._is_committed = is_committed
        self._next: dict[Partition, int] = {}
        self._told: dict[Partition, int] = {}

    def committed(self, positions: Sequence[TopicPartition], seconds: float) -> list[Position]:
        """Give the group's offsets; with read_committed those that no undecided transaction can change any more."""
        partitions = [(p.topic, p.partition) for p in positions]
        deadline = self._world.now_ms + seconds * 1000
        while True:
            found = self._process.effect("fetch offsets", lambda: self._offsets(partitions))
            if found is not None:
                return found
            if self._world.now_ms > deadline:
                raise failure(KafkaError._TIMED_OUT)  # noqa: SLF001
            self._process.wait(TRY_AGAIN_MS)

    def _offsets(self, partitions: Sequence[Partition]) -> list[Position] | None:
        group = self._world.broker.group
        if self._is_committed and any(group.is_unstable(partition) for partition in partitions):
            return None
        return [Position(*partition, group.offsets.get(partition, -1001)) for partition in partitions]

    def assign(self, positions: Sequence[TopicPartition]) -> None:
        """Read these partitions from their beginnings."""
        self._next = {(p.topic, p.partition): 0 for p in positions}

    def consume(self, _records: int, seconds: float) -> list[Message]:
        """Read on. A partition's end is told once for each place where it is."""
        found: list[Message] = self._process.effect("restore", self._read)
        if not found:
            self._process.wait(round(seconds * 1000))
        return found

    def _read(self) -> list[Message]:
        found = []
        for partition, offset in self._next.items():
            log = self._world.broker.log(*partition)
            entries, following = log.read(offset, READ_RECORDS_MAX, committed=self._is_committed)
            found += [Message(partition, entry) for entry in entries]
            self._next[partition] = following
            end = log.last_stable if self._is_committed else log.end
            if following >= end and self._told.get(partition) != end:
                self._told[partition] = end
                found.append(Message(partition, None))
        return found

    def close(self) -> None:
        """Nothing is to be let go."""


def read_metadata(metadata: bytes) -> Membership:
    """Read the group metadata as librdkafka does."""
    assert metadata.startswith(MAGIC)
    (generation,) = struct.unpack_from("<i", metadata, len(MAGIC))
    group, member, rest = metadata[len(MAGIC) + 4 :].split(b"\0", 2)
    instance = rest[1:-1].decode() if not rest.startswith(b"\x01") else ""
    return Membership(group.decode(), generation, member.decode(), instance)


def failure(code: int) -> KafkaException:
    """Give the exception for an error code."""
    return KafkaException(KafkaError(code))
