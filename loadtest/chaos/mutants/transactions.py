"""Mutants of the transaction: what becomes visible together, and what is made of an unknown outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from confluent_kafka import KafkaException, TopicPartition

from loadtest.chaos.patching import rebuilt, swap
from pipeline.engine import clients
from pipeline.engine.membership import group_metadata
from pipeline.engine.outputs import ORDER_EVENTS
from pipeline.engine.transaction import COMMIT_SECONDS, INIT_SECONDS, Transaction
from pipeline.errors import UnknownOutcomeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.engine.membership import Membership

PATIENCE_SECONDS = 1.0
"""How long the mutant that takes the unknown for success waits for an answer."""
FOR_EVER_SECONDS = 1e9


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
    others: list[Any] = []

    def wrap(_: Callable[..., None]) -> Callable[..., None]:
        def commit(self: Transaction, membership: Membership) -> None:
            positions = [TopicPartition(topic, number, offset) for (topic, number), offset in self.offsets.items()]
            try:
                if not others:
                    others.append(_other_producer(self))
                if offsets_first:
                    _commit_offsets(others[0], positions, membership)
                self._producer.commit_transaction(COMMIT_SECONDS)
                if not offsets_first:
                    _commit_offsets(others[0], positions, membership)
                self._producer.begin_transaction()
            except KafkaException as error:
                raise UnknownOutcomeError(str(error)) from error
            self.offsets.clear()
            self.records = 0

        return commit

    swap(Transaction, "commit", wrap)


def _other_producer(transaction: Transaction) -> Any:  # noqa: ANN401  C code
    settings = transaction._settings  # noqa: SLF001  from outside
    other = clients.transactional_producer(msgspec.structs.replace(settings, slot=f"{settings.slot}-offsets"))
    other.init_transactions(INIT_SECONDS)
    return other


def _commit_offsets(producer: Any, positions: list[TopicPartition], membership: Membership) -> None:  # noqa: ANN401  C code
    producer.begin_transaction()
    producer.send_offsets_to_transaction(positions, group_metadata(membership), COMMIT_SECONDS)
    producer.commit_transaction(COMMIT_SECONDS)


def events_outside_transaction() -> None:
    """Write order.events with a second producer that knows no transaction.

    Events of a transaction that is never committed stay, and come again (I6). Shown by any kill under load.
    """

    def wrap(fence: Callable[..., None]) -> Callable[..., None]:
        def _fence(self: Transaction) -> None:
            fence(self)
            plain = clients.producer(self._settings)
            inner = self.produce

            def produce(topic: str, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  the producer's
                if topic == ORDER_EVENTS:
                    plain.produce(topic, *arguments, **named)
                    plain.poll(0)
                else:
                    inner(topic, *arguments, **named)

            self.produce = produce

        return _fence

    swap(Transaction, "_fence", wrap)


def unknown_is_success() -> None:
    """Wait a second for a commit's answer, take whatever happens for success, and go on with a new producer.

    The new producer ends the old one's transaction: what was in it is lost, while tables and offsets went on (I4, I6).
    Shown by a broker or a network that is away while commits are under way.
    """

    def wrap(_: Callable[..., None]) -> Callable[..., None]:
        def commit(self: Transaction, membership: Membership) -> None:
            positions = [TopicPartition(topic, number, offset) for (topic, number), offset in self.offsets.items()]
            try:
                self._producer.send_offsets_to_transaction(positions, group_metadata(membership), PATIENCE_SECONDS)
                self._producer.commit_transaction(PATIENCE_SECONDS)
                self._producer.begin_transaction()
            except KafkaException:
                self._fence()
            self.offsets.clear()
            self.records = 0

        return commit

    swap(Transaction, "commit", wrap)


def keeps_epoch() -> None:
    """Begin the next transaction in the same epoch, however long the last commit took.

    A request that was sent twice, and comes late, falls into that transaction and commits half of it: the changelog is
    then ahead of its last checkpoint, and the worker refuses to start (I10). Shown by late EndTxn requests.
    """
    swap(Transaction, "commit", lambda commit: rebuilt(commit, SENT_ONCE_SECONDS=FOR_EVER_SECONDS))
