"""order.events → ClickHouse, each event once.

A partition is resumed after the highest offset that ClickHouse has of it, and a block is there whole or not at all: a
crash at any point neither loses nor repeats a row. After an insert with an unknown result the statement is ended, the
offset asked for again, and the same block sent under the same id only if it is not there; under another one where
ClickHouse then says that it has it, and has not.

During a rebalance a member that has lost a partition without noticing (paused, cut off) may send one block more, beside
the new owner's. The table merges such rows into one, and the views count orders and ids, not rows.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sinks import metrics
from sinks.blocks import BLOCK_BYTES_MAX, BLOCK_ROWS_MAX, Block, Gatherer
from sinks.log import TOPIC, Log, LogDownError
from sinks.store import Store, StoreDownError, StoreRefusedError, schema_statements

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.settings import Settings
    from sinks.store import Stored

LOG = logging.getLogger(__name__)
SINK = "clickhouse"
ROWS_HELD_MAX = 3 * BLOCK_ROWS_MAX
BYTES_HELD_MAX = 2 * BLOCK_BYTES_MAX
"""With so many rows, or bytes of them, in memory the sink reads no further until ClickHouse has taken some."""
BACKOFF_SECONDS = 0.2
BACKOFF_SECONDS_MAX = 15.0
HOLD_SECONDS = 2.0
"""How long a full sink waits for ClickHouse before it pauses its partitions: pausing throws away what was fetched."""
REVOKE_SECONDS_MAX = 3.0
"""How long a running insert may hold up a rebalance."""
DRAIN_SECONDS_MAX = 10.0
T = TypeVar("T")


class ClickHouseSink:
    """The sink: one thread reads and makes rows, another one talks to ClickHouse, one statement at a time."""

    def __init__(self, settings: Settings, store: Store, *, accept_gap: bool = False) -> None:
        self._store = store
        self._accept_gap = accept_gap
        self._prefix = f"holdfast-sink:{settings.deployment}:"
        # In the id, so that an earlier run's block is never taken for this one: its rows may have been removed.
        self._run = uuid.uuid4().hex[:8]
        self._blocks = 0
        self._gatherer = Gatherer()
        self._threads = ThreadPoolExecutor(1, "clickhouse-store")
        self._job: Future[dict[int, Stored] | Block | None] | None = None
        self._abandoned = threading.Event()
        self._is_paused = False
        self._block_ms = 0
        self._log = Log(settings, f"{settings.deployment}.sink", self._lose)

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; then store what is in hand. Raises HoldfastError for what a restart must settle."""
        # Readers get their views also while there is no Kafka.
        self._submit(self._create)
        try:
            while not stop.is_set():
                self._turn()
            self._drain()
        finally:
            self._abandoned.set()
            self._log.close()
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._store.close()

    def _turn(self) -> None:
        now = time.monotonic()
        for record in self._log.poll():
            self._gatherer.add(record, now)
        self._finish_job()
        self._begin_job(at_once=self._is_full())
        if self._is_full() and self._job is not None:
            wait([self._job], HOLD_SECONDS)
            if not self._job.done() and not self._is_paused:
                LOG.warning("ClickHouse does not keep up: %d rows wait, the partitions are paused", self._gatherer.rows)
                self._log.pause()
                self._is_paused = True
        elif self._is_paused:
            self._log.resume()
            self._is_paused = False
        self._measure()

    def _is_full(self) -> bool:
        return self._gatherer.rows >= ROWS_HELD_MAX or self._gatherer.size_bytes >= BYTES_HELD_MAX

    def _begin_job(self, *, at_once: bool = False) -> None:
        if self._job is not None:
            return
        if self._log.awaiting:
            self._submit(partial(self._resume_points, self._log.awaiting))
            return
        block = self._gatherer.take(time.monotonic(), at_once=at_once)
        if block is not None:
            self._block_ms = block.oldest_ms
            self._submit(partial(self._store_block, block))

    def _submit(self, work: Callable[[threading.Event], dict[int, Stored] | Block | None]) -> None:
        self._job = self._threads.submit(work, self._abandoned)

    def _finish_job(self) -> None:
        if self._job is None or not self._job.done():
            return
        job, self._job = self._job, None
        self._block_ms = 0
        result = job.result()
        if isinstance(result, Block):
            self._log.commit(result.last)
        elif result is not None:
            try:
                self._log.start(result, accept_gap=self._accept_gap)
            except LogDownError as error:
                LOG.warning("Kafka does not tell where %s begins and ends; asked again: %s", TOPIC, error)

    def _lose(self) -> None:
        """Forget all rows: whoever gets the partitions reads them again. A running insert may end first."""
        self._gatherer.clear()
        self._is_paused = False
        self._abandoned.set()
        self._abandoned = threading.Event()
        if self._job is not None:
            wait([self._job], REVOKE_SECONDS_MAX)
            self._job = None

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS_MAX
        while (self._job is not None or self._gatherer.rows) and time.monotonic() < deadline:
            self._begin_job(at_once=True)
            if self._job is not None:
                wait([self._job], max(0, deadline - time.monotonic()))
            self._finish_job()

    # --- on the store's thread ---

    def _create(self, gone: threading.Event) -> None:
        _until_up(partial(self._store.apply_schema, schema_statements()), gone)

    def _resume_points(self, partitions: tuple[int, ...], gone: threading.Event) -> dict[int, Stored] | None:
        """Ask where each partition stands, once no earlier statement can change that any more.

        A block may be of any partitions, so all inserts are ended: a member that reads others sends its block again.
        """

        def ask() -> dict[int, Stored]:
            self._store.apply_schema(schema_statements())
            self._store.settle(self._prefix)
            highest = self._store.highest(TOPIC)
            return {partition: highest[partition] for partition in partitions if partition in highest}

        return _until_up(ask, gone)

    def _store_block(self, block: Block, gone: threading.Event) -> Block | None:
        """Store a block, whatever it takes, unless its partitions are lost meanwhile."""
        self._blocks += 1
        statement_id = f"{self._prefix}{self._run}:{self._blocks}"
        attempts = 0

        def attempt() -> Block:
            nonlocal attempts
            attempts += 1
            if attempts > 1:
                # The last attempt may have been made after all, or may still be.
                self._store.settle(statement_id)
                if self._has(block):
                    metrics.INSERTS.labels(SINK, "found").inc()
                    return block
            with metrics.INSERT_SECONDS.labels(SINK).time():
                self._store.insert(block, statement_id)
                if attempts > 1 and not self._has(block):
                    # ClickHouse writes a block's id down before the block itself. Killed between the two it has the id
                    # alone, and takes the block for a repetition for ever: it goes under another id.
                    self._store.insert(block, f"{statement_id}:{attempts}")
            metrics.INSERTS.labels(SINK, "stored").inc()
            return block

        done = _until_up(attempt, gone)
        if done is not None:
            _count(done)
        return done

    def _has(self, block: Block) -> bool:
        """Ask whether a block is there; it is whole or not at all."""
        highest = self._store.highest(TOPIC)
        return all(partition in highest and highest[partition].offset >= last for partition, last in block.last.items())

    def _measure(self) -> None:
        metrics.LAG_RECORDS.labels(SINK).set(self._log.unread() + self._gatherer.rows)
        oldest_ms = self._block_ms or self._gatherer.oldest_ms()
        metrics.LAG_SECONDS.labels(SINK).set(max(0.0, time.time() - oldest_ms / 1000) if oldest_ms else 0.0)


def _until_up(ask: Callable[[], T], gone: threading.Event) -> T | None:
    """Ask until there is an answer, with growing pauses; None when the partitions have gone meanwhile."""
    backoff_seconds = BACKOFF_SECONDS
    while not gone.is_set():
        try:
            return ask()
        except StoreDownError as error:
            metrics.ERRORS.labels(SINK, "down").inc()
            LOG.warning("ClickHouse is asked again in %.1f s: %s", backoff_seconds, error)
        except StoreRefusedError:
            metrics.ERRORS.labels(SINK, "refused").inc()
            raise
        # An insert that failed leaves its block in a cycle too, see HttpStore.insert.
        gc.collect()
        gone.wait(backoff_seconds)
        backoff_seconds = min(2 * backoff_seconds, BACKOFF_SECONDS_MAX)
    return None


def _count(block: Block) -> None:
    metrics.ROWS.labels(SINK).inc(len(block.records))
    metrics.BLOCK_ROWS.labels(SINK).observe(len(block.records))
    metrics.UNREADABLE.labels(SINK).inc(block.are_events.count(False))
    metrics.VISIBLE_SECONDS.labels(SINK).observe(max(0.0, time.time() - block.oldest_ms / 1000))
