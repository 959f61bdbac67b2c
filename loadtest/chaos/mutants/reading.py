"""Mutants of reading: which records are taken for real, and from where it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import confluent_kafka

from loadtest.chaos.patching import rebuilt, swap
from pipeline.engine import clients
from pipeline.engine.engine import Engine
from pipeline.engine.restore import Restorer
from pipeline.engine.tables import CHECKPOINT_KEY, PartitionTables

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.engine.batches import Batch
    from pipeline.engine.restore import Partition

STEP_BACK_RECORDS = 20
TRANSACTIONS_MISSED = 2


class _UncommittedLibrary:
    """confluent_kafka, but that its consumers read uncommitted records whatever they are told."""

    Producer = confluent_kafka.Producer

    @staticmethod
    def Consumer(config: dict[str, Any]) -> confluent_kafka.Consumer:  # noqa: N802  the library's name
        return confluent_kafka.Consumer({**config, "isolation.level": "read_uncommitted"})


def consumer_reads_uncommitted() -> None:
    """Read the records of transactions that are open, or were never committed.

    A killed worker's outputs are processed although they do not exist, and then once more (I6, I3). Shown by any kill
    under load.
    """
    swap(clients, "partition_reader", lambda original: rebuilt(original, confluent_kafka=_UncommittedLibrary))


def restore_reads_uncommitted() -> None:
    """Restore tables from changelog records of transactions that were never committed.

    Entries of what never happened get into the tables; their checkpoint is ahead of the offset, and the worker refuses
    to start (I10). Shown by any kill under load.
    """
    swap(clients, "committed_reader", lambda original: rebuilt(original, confluent_kafka=_UncommittedLibrary))


def restore_without_require_stable() -> None:
    """Read the group's offsets without waiting for transactions that may still change them.

    The successor of a worker that stands still between offsets and commit begins before it; then that commit is made
    after all, and the same records come twice (I6). Shown by a zombie at commit.before. librdkafka asks for stable
    offsets where a consumer reads committed records.
    """
    swap(clients, "group_reader", lambda original: rebuilt(original, confluent_kafka=_UncommittedLibrary))


def reads_twice() -> None:
    """Resume some records before the committed offset, and do not notice that they came already.

    Their outputs come twice (I6). Shown by any rebalance.
    """

    def step_back(original: Callable[..., Any]) -> Callable[..., Any]:
        def resume_offsets(self: Engine) -> dict[Partition, int]:
            return {key: max(0, offset - STEP_BACK_RECORDS) for key, offset in original(self).items()}

        return resume_offsets

    def unaware(original: Callable[..., Any]) -> Callable[..., Any]:
        async def take(self: Engine, batch: Batch) -> None:
            held = self.partitions.get((batch.topic, batch.partition))
            if held is not None:
                held.next_offset = min(held.next_offset, batch.records[0].offset)
            await original(self, batch)

        return take

    swap(Engine, "resume_offsets", step_back)
    swap(Engine, "take", unaware)


def resumes_early() -> None:
    """Resume some records before the committed offset. The engine notices that they came already, and stops.

    A crash loop (I10), and nothing worse. Shown by any rebalance.
    """

    def step_back(original: Callable[..., Any]) -> Callable[..., Any]:
        def resume_offsets(self: Engine) -> dict[Partition, int]:
            return {key: max(0, offset - STEP_BACK_RECORDS) for key, offset in original(self).items()}

        return resume_offsets

    swap(Engine, "resume_offsets", step_back)


def tables_not_restored() -> None:
    """Begin with empty tables at the committed offset.

    Orders and holds are forgotten (I3, I8). Shown by any kill.
    """

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def restore(self: Restorer, offsets: Any, is_current: Any) -> Any:  # noqa: ANN401  the restorer's
            found = original(self, offsets, is_current)
            for key in found:
                found[key] = PartitionTables(self._stages[key[0]])
                found[key].next_offset = offsets[key]
            return found

        return restore

    swap(Restorer, "restore", wrap)


def restore_skips_last() -> None:
    """Miss the last entry of each table of each partition when restoring, but not the checkpoint.

    An order, a balance or a parcel is forgotten or as it was before (I8, I3, I1). Shown by kills.
    """

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def finish(self: PartitionTables) -> None:
            last = {key.partition(b":")[0]: key for key in self._restored}
            for key in last.values():
                del self._restored[key]
            original(self)

        return finish

    swap(PartitionTables, "finish", wrap)


def restore_stops_early() -> None:
    """Stop restoring some transactions before the changelog's end: the tables are as they were, checkpoint and all.

    The checkpoint check notices, and the worker refuses to start (I10). Shown by any kill.
    """
    # The tables themselves are kept beside their records, so that no other object gets their id.
    waiting: dict[int, tuple[PartitionTables, list[tuple[bytes, bytes | None]]]] = {}

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def restore(self: PartitionTables, key: bytes, value: bytes | None) -> None:
            late = waiting.setdefault(id(self), (self, []))[1]
            late.append((key, value))
            ends = [place for place, (name, _) in enumerate(late, 1) if name == CHECKPOINT_KEY]
            if len(ends) > TRANSACTIONS_MISSED:
                for record in late[: ends[0]]:
                    original(self, *record)
                del late[: ends[0]]

        return restore

    swap(PartitionTables, "restore", wrap)


def no_torn_check() -> None:
    """Do not mind a changelog that goes on after its last checkpoint: half of a transaction is applied.

    Entries are there of what was not processed (I4, I8). Nothing writes such records on its own.
    """
    swap(Restorer, "_refuse_torn", lambda _: lambda self, key: None)  # noqa: ARG005


def no_checkpoint_check() -> None:
    """Do not compare the changelog's checkpoint with the committed offset: go on from the checkpoint.

    Where the two differ, records come twice (I6) or never (I4). Shown by offsets that were moved; elsewhere they never
    differ, for they are written in one transaction.
    """
    swap(Restorer, "_met", lambda _: staticmethod(lambda found, offsets: True))  # noqa: ARG005


def no_checkpoint_at_offset() -> None:
    """Do not compare the changelog's checkpoint with the committed offset: go on from the offset.

    Where the two differ, the tables lack what was processed in between (I8, I3).
    """

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def restore(self: Restorer, offsets: Any, is_current: Any) -> Any:  # noqa: ANN401  the restorer's
            found = original(self, offsets, is_current)
            for key, tables in found.items():
                tables.next_offset = offsets[key]
            return found

        return restore

    no_checkpoint_check()
    swap(Restorer, "restore", wrap)
