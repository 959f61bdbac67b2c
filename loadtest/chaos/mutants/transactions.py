"""Mutants of the transaction: what becomes visible together, and what is made of an unknown outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from confluent_kafka import KafkaException, TopicPartition

from loadtest.chaos.patching import swap
from pipeline.engine import clients
from pipeline.engine.membership import group_metadata
from pipeline.engine.outputs import ORDER_EVENTS
from pipeline.engine.transaction import COMMIT_SECONDS, INIT_SECONDS, Transaction
from pipeline.errors import UnknownOutcomeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.engine.membership import Membership
    from pipeline.settings import Settings

PATIENCE_SECONDS = 1.0
"""How long the mutant that takes the unknown for success waits for an answer."""


def offsets_after_outputs() -> None:
    """Commit the outputs first, and the offsets in a transaction of their own.

    Between the two, a crash makes the records be processed again: their outputs come twice (I6), or, where the stage
    has tables, the checkpoint differs from the offset and the worker refuses to start (I10). Shown by commit.after.
    """
    _split_commit(offsets_first=False)


def offsets_before_outputs() -> None:
    """Commit the offsets first, in a transaction of their own, and then the outputs.

    Between the two, a crash loses the outputs (I4), or the worker refuses to start (I10). Shown by commit.before.
    """
    _split_commit(offsets_first=True)


def _split_commit(*, offsets_first: bool) -> None:
    others: dict[int, Any] = {}

    def also(original: Callable[..., None]) -> Callable[..., None]:
        def __init__(self: Transaction, settings: Settings) -> None:  # noqa: N807
            original(self, settings)
            other = clients.transactional_producer(msgspec.structs.replace(settings, slot=f"{settings.slot}-offsets"))
            other.init_transactions(INIT_SECONDS)
            others[id(self)] = other

        return __init__

    def wrap(_: Callable[..., None]) -> Callable[..., None]:
        def commit(self: Transaction, membership: Membership) -> None:
            positions = [TopicPartition(topic, number, offset) for (topic, number), offset in self.offsets.items()]
            try:
                if offsets_first:
                    _commit_offsets(others[id(self)], positions, membership)
                self._producer.commit_transaction(COMMIT_SECONDS)
                if not offsets_first:
                    _commit_offsets(others[id(self)], positions, membership)
                self._producer.begin_transaction()
            except KafkaException as error:
                raise UnknownOutcomeError(str(error)) from error
            self.offsets.clear()
            self.records = 0

        return commit

    swap(Transaction, "__init__", also)
    swap(Transaction, "commit", wrap)


def _commit_offsets(producer: Any, positions: list[TopicPartition], membership: Membership) -> None:  # noqa: ANN401  C code
    producer.begin_transaction()
    producer.send_offsets_to_transaction(positions, group_metadata(membership), COMMIT_SECONDS)
    producer.commit_transaction(COMMIT_SECONDS)


def events_outside_transaction() -> None:
    """Write order.events with a second producer that knows no transaction.

    Events of a transaction that is never committed stay, and come again (I6). Shown by any kill under load.
    """

    def also(original: Callable[..., None]) -> Callable[..., None]:
        def __init__(self: Transaction, settings: Settings) -> None:  # noqa: N807
            original(self, settings)
            plain = clients.producer(settings)
            inner = self.produce

            def produce(topic: str, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  the producer's
                if topic == ORDER_EVENTS:
                    plain.produce(topic, *arguments, **named)
                    plain.poll(0)
                else:
                    inner(topic, *arguments, **named)

            self.produce = produce

        return __init__

    swap(Transaction, "__init__", also)


def unknown_is_success() -> None:
    """Wait a second for a commit's answer, take whatever happens for success, and go on with a new producer.

    The new producer ends the old one's transaction: what was in it is lost, while tables and offsets went on (I4, I6).
    Shown by a broker or a network that is away while commits are under way.
    """
    settings_of: dict[int, Settings] = {}

    def remember(original: Callable[..., None]) -> Callable[..., None]:
        def __init__(self: Transaction, settings: Settings) -> None:  # noqa: N807
            original(self, settings)
            settings_of[id(self)] = settings

            def produce(*arguments: Any, **named: Any) -> None:  # noqa: ANN401  the producer's
                self._producer.produce(*arguments, **named)

            self.produce = produce

        return __init__

    def wrap(_: Callable[..., None]) -> Callable[..., None]:
        def commit(self: Transaction, membership: Membership) -> None:
            positions = [TopicPartition(topic, number, offset) for (topic, number), offset in self.offsets.items()]
            try:
                self._producer.send_offsets_to_transaction(positions, group_metadata(membership), PATIENCE_SECONDS)
                self._producer.commit_transaction(PATIENCE_SECONDS)
            except KafkaException:
                self._producer = clients.transactional_producer(settings_of[id(self)])
                self._producer.init_transactions(INIT_SECONDS)
            self._producer.begin_transaction()
            self.offsets.clear()
            self.records = 0

        return commit

    swap(Transaction, "__init__", remember)
    swap(Transaction, "commit", wrap)
