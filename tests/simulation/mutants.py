"""The engine, broken in one place each: the simulator must see every one of them, or say which layer made up for it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import msgspec
from confluent_kafka import KafkaException, TopicPartition

from pipeline.engine import clients, transaction
from pipeline.engine.engine import Engine
from pipeline.engine.membership import NO_GENERATION, Membership, group_metadata
from pipeline.engine.restore import Restorer
from pipeline.engine.transaction import Transaction
from pipeline.errors import UnknownOutcomeError
from tests.simulation.consumer import Fetcher

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from pipeline.engine.batches import Batch
    from pipeline.engine.fetching import Fetched
    from pipeline.engine.restore import Partition
    from pipeline.settings import Settings

Patch = tuple[Any, str, Any]
"""An object, the name of one of its attributes, and what stands there instead."""


def no_membership_check() -> list[Patch]:
    """Process batches whatever the membership that they were read under."""

    async def take(self: Engine, batch: Batch) -> None:
        async with self._lock:
            held = self.partitions.get((batch.topic, batch.partition))
            if held is not None:
                self._deciding[batch.topic].run(held, batch.records)
                self._advance(batch)
        self._done(batch)

    async def settle(self: Engine, batch: Batch, emit: Callable[[], None]) -> None:
        async with self._lock:
            if (batch.topic, batch.partition) in self.partitions:
                emit()
                self._advance(batch)

    return [(Engine, "take", take), (Engine, "settle", settle)]


def commit_after_the_rebalance() -> list[Patch]:
    """Commit what was read under one membership under the next."""

    async def on_revoked(self: Engine) -> None:
        self.membership = self._offered = None

    return [(Engine, "on_revoked", on_revoked)]


def random_transactional_id() -> list[Patch]:
    """Give each start a transactional id of its own: nobody fences anybody."""
    numbers, make = count(), clients.transactional_producer

    def make_other(settings: Settings) -> Any:  # noqa: ANN401  a producer
        return make(msgspec.structs.replace(settings, slot=f"{settings.slot}-{next(numbers)}"))

    return [(clients, "transactional_producer", make_other)]


def no_group_metadata() -> list[Patch]:
    """Do not tell the broker under which membership records were read."""

    def nobody(membership: Membership) -> bytes:
        return group_metadata(Membership(membership.group, NO_GENERATION, "", ""))

    return [(transaction, "group_metadata", nobody)]


def offsets_outside_the_transaction() -> list[Patch]:
    """Commit offsets by themselves, after the transaction."""

    def commit(self: Transaction, membership: Membership) -> None:
        producer: Any = self._producer
        offsets = dict(self.offsets)
        group = producer._broker.group  # noqa: SLF001
        try:
            producer.commit_transaction(30.0)
            if not group.objection(membership.member, membership.instance, membership.generation):
                producer._ask("offsets", lambda: group.offsets.update(offsets))  # noqa: SLF001
        except KafkaException as error:
            raise UnknownOutcomeError(str(error)) from error
        self.offsets.clear()
        self.records = 0

    return [(Transaction, "commit", commit)]


def no_checkpoint_and_unstable_offsets() -> list[Patch]:
    """Restore whatever offsets and tables are found, also those of transactions that are being decided."""
    return [*no_checkpoint(), *unstable_offsets()]


def no_checkpoint() -> list[Patch]:
    """Do not compare restored tables with the offsets."""
    return [(Restorer, "_met", staticmethod(lambda *_: True))]


def unstable_offsets() -> list[Patch]:
    """Read the group's offsets without waiting for transactions that may change them."""
    read = clients.group_reader

    def reader(settings: Settings) -> Any:  # noqa: ANN401  a consumer
        found: Any = read(settings)
        found._is_committed = False  # noqa: SLF001
        return found

    return [(clients, "group_reader", reader)]


def read_uncommitted() -> list[Patch]:
    """Read records of transactions that may abort."""
    return [(Fetcher, "isolation_level", "read_uncommitted")]


def restore_uncommitted() -> list[Patch]:
    """Restore beyond the committed prefix of the changelog."""
    read = clients.committed_reader

    def reader(settings: Settings) -> Any:  # noqa: ANN401  a consumer
        found: Any = read(settings)
        found._is_committed = False  # noqa: SLF001
        return found

    return [(clients, "committed_reader", reader)]


def unknown_outcome_is_success() -> list[Patch]:
    """Take a commit without an answer for done."""

    def commit(self: Transaction, membership: Membership) -> None:
        positions = [TopicPartition(topic, number, offset) for (topic, number), offset in self.offsets.items()]
        try:
            self._producer.send_offsets_to_transaction(positions, group_metadata(membership), 30.0)
            self._producer.commit_transaction(30.0)
        except KafkaException:
            pass
        self._producer.begin_transaction()
        self.offsets.clear()
        self.records = 0

    return [(Transaction, "commit", commit)]


def marker_before_output() -> list[Patch]:
    """Commit that a record was seen one transaction before what came of it."""
    commit = Transaction.commit

    def seen_first(self: Transaction, membership: Membership) -> None:
        producer: Any = self._producer
        outputs = [draft for draft in producer._queue if not draft.topic.endswith(".changelog")]  # noqa: SLF001
        producer._queue = [draft for draft in producer._queue if draft.topic.endswith(".changelog")]  # noqa: SLF001
        commit(self, membership)
        producer._queue += outputs  # noqa: SLF001

    return [(Transaction, "commit", seen_first)]


def kept_tables_are_trusted() -> list[Patch]:
    """Use tables that a worker still has from an earlier assignment without comparing offsets."""
    take = Engine.take_assignment

    async def take_assignment(self: Engine) -> None:
        restorer, held = self._restorer, dict(self.partitions)
        committed = type(restorer).committed.__get__(restorer)

        def remembered(partitions: Any) -> dict[Any, int]:  # noqa: ANN401
            found = committed(partitions)
            return {key: held[key].next_offset if key in held else offset for key, offset in found.items()}

        with patch.object(restorer, "committed", remembered):
            await take(self)

    return [(Engine, "take_assignment", take_assignment)]


def no_new_epoch_after_a_repeated_commit() -> list[Patch]:
    """Take a commit that may have been sent twice for one that was sent once."""
    return [(transaction, "SENT_ONCE_SECONDS", float("inf"))]


def fetch_names_todays_membership() -> list[Patch]:
    """Take what a rebalance overtook for read under the membership of now."""
    fetch = Fetcher.fetch

    async def fetch_now(self: Fetcher, active: Collection[Partition]) -> Fetched:
        found = await fetch(self, active)
        return found._replace(membership=self._process.engine.membership)

    return [(Fetcher, "fetch", fetch_now)]


def no_guard_against_a_second_delivery() -> list[Patch]:
    """Do not notice that a record comes a second time."""
    take = Engine.take

    async def take_again(self: Engine, batch: Batch) -> None:
        held = self.partitions.get((batch.topic, batch.partition))
        if held is not None:
            held.next_offset = min(held.next_offset, batch.records[0].offset)
        await take(self, batch)

    return [(Engine, "take", take_again)]


def no_instance_id() -> list[Patch]:
    """Commit under member and generation alone, without the static instance id."""

    def anonymous(membership: Membership) -> bytes:
        return group_metadata(membership._replace(instance=""))

    return [(transaction, "group_metadata", anonymous)]


def torn_changelogs_are_taken() -> list[Patch]:
    """Do not look whether a changelog ends with a checkpoint."""
    return [(Restorer, "_refuse_torn", lambda *_: None)]


MUTANTS: dict[str, Callable[[], list[Patch]]] = {
    mutant.__name__: mutant
    for mutant in (
        no_membership_check,
        commit_after_the_rebalance,
        random_transactional_id,
        no_group_metadata,
        offsets_outside_the_transaction,
        no_checkpoint_and_unstable_offsets,
        no_checkpoint,
        unstable_offsets,
        read_uncommitted,
        restore_uncommitted,
        unknown_outcome_is_success,
        marker_before_output,
        kept_tables_are_trusted,
        no_new_epoch_after_a_repeated_commit,
        fetch_names_todays_membership,
        no_guard_against_a_second_delivery,
        no_instance_id,
        torn_changelogs_are_taken,
    )
}
MADE_UP_FOR = {
    "no_guard_against_a_second_delivery": "the membership check lets no record come twice; the guard is for its bugs",
    "no_instance_id": "who took a slot over has another member id, and the former one is unknown to the group",
    "torn_changelogs_are_taken": "a new epoch after a commit that may have been sent twice lets none be torn",
}
"""The mutants that no run can tell from the engine, each with the layer that makes up for it."""


@contextmanager
def mutated(name: str) -> Iterator[None]:
    """Break the engine for a block of code."""
    with ExitStack() as stack:
        for target, attribute, instead in MUTANTS[name]():
            stack.enter_context(patch.object(target, attribute, instead))
        yield
