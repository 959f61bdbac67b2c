"""Append commands to a stage's topic, and wait until the log has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from confluent_kafka import KafkaException

from pipeline.engine import clients
from pipeline.errors import HoldfastError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from confluent_kafka import KafkaError, Message

    from pipeline.domain.commands import Command
    from pipeline.settings import Settings
    from pipeline.topics import Topic

METADATA_SECONDS = 10.0
DELIVERY_SECONDS = 15.0
_encode = msgspec.json.Encoder().encode


class Sender:
    """A producer: each command is acknowledged by all replicas before `flush` returns, or HoldfastError is raised."""

    def __init__(self, settings: Settings) -> None:
        limit_ms = int(DELIVERY_SECONDS * 1000)
        config = settings.kafka_config | {"delivery.timeout.ms": str(limit_ms)}
        self._producer = clients.producer(msgspec.structs.replace(settings, kafka_config=config))
        self._failed: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.flush()

    def send(self, topic: Topic, key: str, commands: Iterable[Command]) -> None:
        """Append commands under a key."""
        for command in commands:
            self._produce(topic, command, key=key)

    def broadcast(self, topic: Topic, command: Command) -> None:
        """Append a command to every partition of a topic. Raises HoldfastError where there is no such topic."""
        for number in range(self._partitions(topic)):
            self._produce(topic, command, partition=number)

    def flush(self) -> None:
        """Wait until the log has it all. Raises HoldfastError with the first thing that went wrong."""
        left = self._producer.flush(DELIVERY_SECONDS)
        if self._failed or left:
            message = self._failed[0] if self._failed else f"no answer of Kafka for {left} commands"
            self._failed.clear()
            raise HoldfastError(message)

    def _produce(self, topic: Topic, command: Command, *, key: str | None = None, partition: int = -1) -> None:
        try:
            self._producer.produce(topic.name, _encode(command), key, partition, on_delivery=self._delivered)
        except (BufferError, KafkaException) as error:
            message = f"{topic.name}: {error}"
            raise HoldfastError(message) from error
        self._producer.poll(0)

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed.append(f"the log did not take a command: {error.str()}")

    def _partitions(self, topic: Topic) -> int:
        try:
            found = self._producer.list_topics(topic.name, METADATA_SECONDS).topics[topic.name]
        except KafkaException as error:
            message = f"{topic.name}: {error.args[0].str()}"
            raise HoldfastError(message) from error
        if found.error is not None or not found.partitions:
            message = f"topic {topic.name} does not exist: run `python -m pipeline topics`"
            raise HoldfastError(message)
        return len(found.partitions)
