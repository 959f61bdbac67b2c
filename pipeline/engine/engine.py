"""The engine of one worker: agents hand it batches, it runs the stages and commits their effects in one transaction.

Everything here runs on the worker's event loop. Whatever blocks runs on a thread, so that heartbeats are answered. Any
failure whose outcome is not known ends the process: state in memory is never rolled back by hand.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, NoReturn

from pipeline import metrics, topics
from pipeline.engine.blocking import Blocking
from pipeline.engine.calling import Calling
from pipeline.engine.deciding import Deciding
from pipeline.engine.membership import Assignment
from pipeline.engine.pacing import patience_seconds, pause_seconds
from pipeline.engine.restore import Partition, Restorer
from pipeline.engine.stage import DecidingStage, Stage
from pipeline.engine.tables import PartitionTables
from pipeline.engine.transaction import Transaction
from pipeline.errors import EngineError, RefusedStartError, UnknownOutcomeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.engine.batches import Batch
    from pipeline.engine.membership import Membership
    from pipeline.settings import Settings
    from pipeline.topics import Table

EXIT_FAILED = 70
EXIT_REFUSED = 78
"""The worker's exit status where starting again cannot help; a supervisor gives up on it."""

PROOFS_PER_SESSION = 2
"""A membership that was confirmed half a session ago is asked for again before the world is called."""

log = logging.getLogger(__name__)


class Engine:
    """The stages of one worker, their tables, and the one open transaction."""

    def __init__(self, settings: Settings, stages: Sequence[Stage]) -> None:
        self.settings = settings
        self.stages = {stage.reads.name: stage for stage in stages}
        self.membership: Membership | None = None
        """The membership that batches are read under; None while partitions are revoked."""
        self.partitions: dict[Partition, PartitionTables] = {}
        self._transaction: Transaction
        self._offered: Assignment | None = None
        self._restorer = Restorer(settings, [stage for stage in stages if isinstance(stage, DecidingStage)])
        self._deciding: dict[str, Deciding] = {}
        self._calling: dict[str, Calling] = {}
        self._waiting = 0
        self._waited_seconds = 0.0
        """The longest that a record of the open transaction had waited in the log."""
        self._proven_at = -math.inf
        """When the commit began in which the group last confirmed this worker's membership."""
        self._written: dict[str, int] = {}
        self._lock = asyncio.Lock()
        self._opened, self._dirty, self._idle = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._block = Blocking("engine").run

    async def start(self) -> None:
        """Fence the slot's former worker, and open the first transaction."""
        self._transaction = await self._block(Transaction, self.settings)
        limit = self.settings.dead_letters_in_a_row_max
        for topic, stage in self.stages.items():
            if isinstance(stage, DecidingStage):
                self._deciding[topic] = Deciding(stage, self._transaction.produce, limit)
            else:
                self._calling[topic] = Calling(stage, self._transaction.produce, self)
        self._opened.set()

    # --- membership ---

    def on_assigned(self, membership: Membership, partitions: frozenset[Partition]) -> None:
        """Note what the group gave to this worker. The group cannot move on before this returns."""
        self._offered = Assignment(membership, partitions)

    async def take_assignment(self) -> None:
        """Restore what is new to this worker, then take batches under the new membership.

        A restore may be overtaken by the next rebalance: then its assignment is void, and no batch is taken under it.
        The group may be joined while the slot's former worker is being fenced; offsets are read when that is done.
        """
        await self._opened.wait()
        offered = self._offered
        if offered is None:
            return
        metrics.REBALANCES.inc()
        membership, assigned = offered
        offsets = await self._block(self._restorer.committed, assigned)
        kept = {key: held for key, held in self.partitions.items() if offsets.get(key) == held.next_offset}
        missing = {key: offset for key, offset in offsets.items() if key not in kept}
        restored = await self._block(self._restorer.restore, missing, lambda: self._offered is offered)
        if self._offered is not offered:
            return
        for key, offset in missing.items():
            kept[key] = restored.get(key) or self._tableless(key, offset)
        self.partitions = kept
        self._waiting = 0
        self._idle.set()
        self.membership = membership
        for stage in self.stages.values():
            owned = sum(topic == stage.reads.name for topic, _ in assigned)
            metrics.PARTITIONS.labels(stage.name).set(owned)
        log.info(
            "took %d partitions in generation %d, restored %d", len(assigned), membership.generation, len(restored)
        )

    async def on_revoked(self) -> None:
        """Finish the batch in hand and commit, before the group rejoins. Batches still queued are dropped."""
        async with self._lock:
            await self._commit()
            self.membership = self._offered = None

    def resume_offsets(self) -> dict[Partition, int]:
        """Give the offsets of the next input records."""
        return {key: held.next_offset for key, held in self.partitions.items()}

    def _tableless(self, key: Partition, offset: int) -> PartitionTables:
        """Make the place of a stage without tables."""
        held = PartitionTables(self.stages[key[0]])
        held.next_offset = offset
        return held

    @property
    def is_waiting(self) -> bool:
        """Say whether batches wait for an agent."""
        return self._waiting > 0

    def table_entries(self) -> dict[Table, int]:
        """Count the entries of each table, over the partitions of this worker."""
        entries: Counter[Table] = Counter()
        for held in self.partitions.values():
            for live in held.tables:
                entries[live.table] += live.entries
        return entries

    # --- batches ---

    def expect_batch(self) -> None:
        """Count a batch that is on its way to an agent."""
        self._waiting += 1
        self._idle.clear()

    async def take(self, batch: Batch) -> None:
        """Process a batch of a deciding stage, unless it was read under a membership that is over."""
        async with self._lock:
            if batch.membership == self.membership:
                held = self._held(batch)
                self._deciding[batch.topic].run(held, batch.records)
                self._advance(batch)
        self._done(batch)

    async def take_calls(self, batch: Batch) -> None:
        """Start the calls of a batch; their answers are settled later, in the partition's order."""
        await self._calling[batch.topic].start(batch)
        self._done(batch)

    async def may_call(self, batch: Batch) -> bool:
        """Say whether the world may be called for a batch: only while no successor can have taken it over.

        A worker that was stopped or cut off wakes up with calls in hand that its successor may have settled long ago.
        So the group must have confirmed the membership lately; where it has not, a commit of the offsets as they are
        asks it. A commit that is refused ends the process.
        """
        if self._is_proven:
            return batch.membership == self.membership
        async with self._lock:
            if batch.membership == self.membership and not self._is_proven:
                key = batch.topic, batch.partition
                self._transaction.advance(key, self.partitions[key].next_offset, 0)
                await self._commit()
            return batch.membership == self.membership

    @property
    def _is_proven(self) -> bool:
        """Say whether the group confirmed the membership so lately that it cannot have expelled this worker since."""
        return time.monotonic() - self._proven_at < self.settings.session_timeout_seconds / PROOFS_PER_SESSION

    async def settle(self, batch: Batch, emit: Callable[[], None]) -> None:
        """Emit the answers to a batch of calls, unless its membership is over: then its successor calls again."""
        async with self._lock:
            if batch.membership == self.membership:
                self._held(batch)
                emit()
                self._advance(batch)

    def _held(self, batch: Batch) -> PartitionTables:
        """Give the tables of a batch's partition. Raises EngineError for records that were processed before."""
        held = self.partitions[batch.topic, batch.partition]
        if batch.records[0].offset < held.next_offset:
            message = f"{batch.records[0].source} was delivered twice: {held.next_offset} is the next offset"
            raise EngineError(message)
        return held

    def _advance(self, batch: Batch) -> None:
        held = self.partitions[batch.topic, batch.partition]
        held.next_offset = batch.next_offset
        held.last_timestamp_ms = batch.records[-1].timestamp_ms
        self._transaction.advance((batch.topic, batch.partition), batch.next_offset, len(batch.records))
        self._written[batch.topic] = self._written.get(batch.topic, 0) + len(batch.records)
        seconds = max(0.0, time.time() - batch.records[0].timestamp_ms / 1000)
        metrics.LATENCY.labels(self.stages[batch.topic].name).observe(seconds)
        self._waited_seconds = max(self._waited_seconds, seconds)
        self._dirty.set()

    def _done(self, batch: Batch) -> None:
        if batch.membership != self.membership:
            return
        self._waiting -= 1
        if self._waiting <= 0:
            self._idle.set()

    # --- commits ---

    async def commit_forever(self) -> None:
        """Commit when no input waits; `pacing` says at the latest when, and how long to pause then."""
        pause, interval = 0.0, self.settings.commit_interval_seconds
        while True:
            await asyncio.sleep(pause)
            await self._dirty.wait()
            try:
                async with asyncio.timeout(patience_seconds(self._waited_seconds, interval)):
                    await self._idle.wait()
            except TimeoutError:
                pass
            async with self._lock:
                started, records = time.perf_counter(), self._transaction.records
                await self._commit()
                pause = pause_seconds(time.perf_counter() - started, records, interval)

    async def _commit(self) -> None:
        """Close the open transaction, if anything is in it. The caller holds the lock."""
        self._dirty.clear()
        self._waited_seconds = 0.0
        if self.membership is None or not self._transaction.offsets:
            return
        started = time.perf_counter()
        records = self._transaction.records
        self._write_changes(self._transaction.offsets)
        asked_at = time.monotonic()
        try:
            await self._block(self._transaction.commit, self.membership)
        except UnknownOutcomeError as error:
            self.crash(error)  # here, while nobody else can have the lock
        finally:
            working: tuple[Deciding | Calling, ...] = (*self._deciding.values(), *self._calling.values())
            for stage in working:
                stage.produce = self._transaction.produce
        self._proven_at = asked_at
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - started)
        metrics.COMMIT_RECORDS.observe(records)
        self._count()

    def _write_changes(self, touched: Iterable[Partition]) -> None:
        """Write what changed in the tables of each touched partition, and its checkpoint, into the transaction."""
        produce = self._transaction.produce
        for topic, number in touched:
            stage = self.stages[topic]
            if isinstance(stage, DecidingStage) and stage.tables:
                changelog = topics.changelog(stage.name).name
                for key, value in self.partitions[topic, number].changes():
                    produce(changelog, value, key, number)

    def _count(self) -> None:
        """Count what the transaction made visible."""
        for topic, records in self._written.items():
            metrics.RECORDS.labels(self.stages[topic].name).inc(records)
        self._written.clear()
        for deciding in self._deciding.values():
            deciding.count()

    async def stop(self) -> None:
        """Finish what is in hand, commit it, and take no more."""
        await self.on_revoked()
        for calling in self._calling.values():
            await calling.stop()

    def crash(self, error: BaseException) -> NoReturn:
        """End the process at once: what is not known is settled by starting again."""
        refused = isinstance(error, RefusedStartError)
        metrics.ERRORS.labels(type(error).__name__).inc()
        log.critical("the worker stops: %s", error, exc_info=None if refused else error)
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(EXIT_REFUSED if refused else EXIT_FAILED)
