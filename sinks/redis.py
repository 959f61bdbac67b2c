"""order.events → Redis: each order's current place, for look-ups. A projection: never the truth, made again at will.

    <deployment>:places                         the name of the generation that counts
    <deployment>:<generation>:order:<order id>  a list: the texts that the order's place folds from, see `sinks.places`
    <deployment>:<generation>:offsets           a hash: the last offset of each partition that is in

Places and offsets change in one script, which does nothing unless the generation is the same and each of its partitions
stands where the batch begins: what Redis has and where the log goes on from there are always of one moment. So a Redis
that was restored from an old snapshot is read on from there, one that was emptied begins a new generation from the
log's start, and no event is added twice, not by a repeated batch and not by a writer that has lost its partition.
"""

from __future__ import annotations

import logging
import time
import uuid
from typing import TYPE_CHECKING

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from pipeline.errors import RefusedStartError
from sinks import metrics
from sinks.batches import PUT, Batch, gather, packed
from sinks.log import Log, LogDownError
from sinks.places import folded, place_of
from sinks.store import Stored

if TYPE_CHECKING:
    import threading

    from redis.client import Pipeline

    from pipeline.settings import Settings
    from sinks.log import LogRecord

LOG = logging.getLogger(__name__)
SINK = "redis"
ANSWER_SECONDS_MAX = 5.0
BACKOFF_SECONDS = 0.2
BACKOFF_SECONDS_MAX = 10.0
BATCH_RECORDS_MAX = 5000
"""Redis answers nobody else while it takes a batch: some 12 ms."""
GATHER_SECONDS = 0.4
"""Between two batches: an order's events of that time are one write."""
PLACE_SECONDS_KEPT = 30 * 24 * 60 * 60
"""How long a place is kept after the order's last event."""
PLACE_ENTRIES_MAX = 32
"""A place that has so many is folded into one: orders of few parcels never do."""


class _StandsElsewhereError(Exception):
    """Redis was emptied or restored, or another writer has put something, or an answer was lost."""


def connect(url: str) -> Redis:
    """Give a client that waits for a bounded time, and leaves trying again to its caller."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=ANSWER_SECONDS_MAX,
        socket_connect_timeout=ANSWER_SECONDS_MAX,
        retry=Retry(NoBackoff(), 0),
    )


def generation_key(deployment: str) -> str:
    """Name the key that says which generation counts."""
    return f"{deployment}:places"


def place_key(deployment: str, generation: str, order_id: str) -> str:
    """Name the key of an order's place."""
    return f"{deployment}:{generation}:order:{order_id}"


class RedisSink:
    """The projection: one thread. While Redis is away it waits, stays in its group, and reads no further."""

    def __init__(self, settings: Settings) -> None:
        self._deployment = settings.deployment
        self._redis = connect(settings.redis)
        self._generation = ""
        self._offsets: dict[int, int] = {}
        """The last offset of each partition that is in Redis."""
        self._assignment = 0
        self._waiting: list[LogRecord] = []
        self._log = Log(settings, f"{settings.deployment}.projection", self._lose)

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop. Raises HoldfastError for what a restart must settle."""
        try:
            while not stop.is_set():
                if self._log.awaiting:
                    self._begin(stop)
                self._waiting += self._log.poll(GATHER_SECONDS)
                if self._waiting:
                    self._put(stop)
                metrics.LAG_RECORDS.labels(SINK).set(self._log.unread() + len(self._waiting))
                metrics.LAG_SECONDS.labels(SINK).set(0)
        finally:
            self._log.close()
            self._redis.close()

    def _lose(self) -> None:
        self._assignment += 1
        self._waiting.clear()

    def _begin(self, stop: threading.Event) -> None:
        """Find or begin the generation, and go on where it stands."""
        assignment, pause = self._assignment, _Pause(self, stop)
        while not stop.is_set() and assignment == self._assignment:
            try:
                self._log.start(self._stand(), accept_gap=True)
            except RefusedStartError as error:
                LOG.warning("a new generation is begun: %s", error)
                self._forget()
            except (RedisError, LogDownError) as error:
                pause(error)
            else:
                return

    def _stand(self) -> dict[int, Stored]:
        key = generation_key(self._deployment)
        self._redis.set(key, uuid.uuid4().hex[:12], nx=True)
        self._generation = str(self._redis.get(key))
        offsets = self._redis.hgetall(self._offsets_key())
        self._offsets = {int(partition): int(offset) for partition, offset in offsets.items()}
        return {partition: Stored(offset, 0) for partition, offset in self._offsets.items()}

    def _forget(self) -> None:
        self._redis.delete(generation_key(self._deployment))

    def _put(self, stop: threading.Event) -> None:
        """Write all that waits, whatever it takes, unless the partitions are lost; a process that stops tries once."""
        assignment, pause = self._assignment, _Pause(self, stop)
        while self._waiting and assignment == self._assignment:
            records = self._waiting[:BATCH_RECORDS_MAX]
            batch = gather(records)
            try:
                self._write(batch)
            except _StandsElsewhereError:
                LOG.warning("Redis was emptied, restored or written by another: the log is read again from its offsets")
                self._waiting.clear()
                self._log.again()
            except RedisError as error:
                if stop.is_set():
                    return
                pause(error)
            else:
                del self._waiting[: len(records)]
                self._offsets |= batch.offsets
                metrics.ROWS.labels(SINK).inc(batch.events)
                metrics.UNREADABLE.labels(SINK).inc(len(records) - batch.events)
                self._log.commit(batch.offsets)
        pause.end()

    def _write(self, batch: Batch) -> None:
        """Write a batch, whole or not at all. Raises RedisError, _StandsElsewhereError."""
        with metrics.INSERT_SECONDS.labels(SINK).time():
            # EVAL, not EVALSHA: a server that was started again knows no scripts.
            long = self._redis.eval(
                PUT,
                2,
                generation_key(self._deployment),
                self._offsets_key(),
                self._generation,
                packed(batch, self._offsets, place_key(self._deployment, self._generation, "")),
                PLACE_SECONDS_KEPT,
                PLACE_ENTRIES_MAX,
            )
        if long is None:
            raise _StandsElsewhereError
        for key in long:
            self._shorten(key)

    def _shorten(self, key: str) -> None:
        """Fold a place into one entry; another that is added meanwhile lets it begin again. Raises RedisError."""

        def shorten(pipeline: Pipeline) -> None:
            place = place_of(map(str, pipeline.lrange(key, 0, -1)))
            pipeline.multi()
            if place:
                pipeline.delete(key)
                pipeline.rpush(key, folded(place))
                pipeline.expire(key, PLACE_SECONDS_KEPT)

        self._redis.transaction(shorten, key)

    def _offsets_key(self) -> str:
        return f"{self._deployment}:{self._generation}:offsets"

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Stay in the group for a while without reading on."""
        self._log.pause()
        until = time.monotonic() + seconds
        while time.monotonic() < until and not stop.is_set():
            # What was already fetched may still come: it is kept.
            self._waiting += self._log.poll()

    def measure(self) -> None:
        """Tell how old the oldest record is that waits."""
        if self._waiting:
            age_seconds = time.time() - self._waiting[0].appended_ms / 1000
            metrics.LAG_SECONDS.labels(SINK).set(max(0.0, age_seconds))

    def go_on(self) -> None:
        """Read on."""
        self._log.resume()


class _Pause:
    """Growing pauses while Redis is away."""

    def __init__(self, sink: RedisSink, stop: threading.Event) -> None:
        self._sink = sink
        self._stop = stop
        self._seconds = 0.0

    def __call__(self, error: Exception) -> None:
        self._seconds = min(2 * self._seconds, BACKOFF_SECONDS_MAX) or BACKOFF_SECONDS
        metrics.ERRORS.labels(SINK, "down").inc()
        LOG.warning("Redis is asked again in %.1f s: %s", self._seconds, error)
        self._sink.measure()
        self._sink.wait(self._seconds, self._stop)

    def end(self) -> None:
        if self._seconds:
            self._sink.go_on()
