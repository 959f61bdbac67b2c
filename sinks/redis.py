"""order.events → Redis: each order's current place, for look-ups. A projection: never the truth, made again at will.

    <deployment>:generation                     the name of the generation that counts
    <deployment>:<generation>:order:<order id>  a hash: the order's place, see `sinks.places`
    <deployment>:<generation>:offsets           a hash: the last offset of each partition that is in

Places and offsets change in one script, which does nothing when the generation has changed: what Redis has and where
the log goes on from there are always of one moment, also after it was restored from an old snapshot. A Redis that was
emptied has no generation: a new one is begun, and the log read from its start. A place that is ahead of an event stays
as it is, so a replay, or a second writer that does not know that it lost its partition, takes nothing back.
"""

from __future__ import annotations

import logging
import time
import uuid
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from pipeline.errors import RefusedStartError
from sinks import metrics
from sinks.log import Log, LogDownError
from sinks.places import Place, fold
from sinks.rows import read
from sinks.store import Stored

if TYPE_CHECKING:
    import threading

    from pipeline.settings import Settings
    from sinks.log import LogRecord

LOG = logging.getLogger(__name__)
SINK = "redis"
ANSWER_SECONDS_MAX = 5.0
BACKOFF_SECONDS = 0.2
BACKOFF_SECONDS_MAX = 10.0
PLACE_SECONDS_KEPT = 30 * 24 * 60 * 60
"""How long a place is kept after the order's last event."""
ORDERS_PER_BATCH_MAX = 1000
GATHER_SECONDS = 0.4
"""Between two batches: an order's events of that time are one write."""
PUT = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local batch = cmsgpack.unpack(ARGV[4])
for _, place in ipairs(batch[1]) do
    local key = ARGV[2] .. place[1]
    if tonumber(redis.call('HGET', key, 'offset') or '-1') < tonumber(place[2]) then
        redis.call('HSET', key, unpack(place[3]))
        redis.call('EXPIRE', key, ARGV[3])
    end
end
for _, last in ipairs(batch[2]) do
    if tonumber(redis.call('HGET', KEYS[2], last[1]) or '-1') < last[2] then
        redis.call('HSET', KEYS[2], last[1], last[2])
    end
end
return 1
"""
"""Puts a batch; gives 0 when the generation is another. The offsets come last: what fails before them is read again.

KEYS: the generation, the offsets. ARGV: the generation's name, what a place's key begins with, the seconds that a place
is kept, and in MessagePack, which one call packs and one unpacks: [[order id, offset, [field, text, …]] …],
[[partition, offset] …].
"""


class _GenerationGoneError(Exception):
    """Redis was emptied, or another writer began a new generation."""


class Batch(NamedTuple):
    """What some records change: orders' places, and the last offset of each partition."""

    places: dict[str, Place]
    offsets: dict[int, int]
    events: int


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
    return f"{deployment}:generation"


def place_key(deployment: str, generation: str, order_id: str) -> str:
    """Name the key of an order's place."""
    return f"{deployment}:{generation}:order:{order_id}"


class RedisSink:
    """The projection: one thread. While Redis is away it waits, stays in its group, and reads no further."""

    def __init__(self, settings: Settings) -> None:
        self._deployment = settings.deployment
        self._redis = connect(settings.redis)
        self._generation = ""
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
        return {int(partition): Stored(int(offset), 0) for partition, offset in offsets.items()}

    def _forget(self) -> None:
        self._redis.delete(generation_key(self._deployment))

    def _put(self, stop: threading.Event) -> None:
        """Write all that waits, whatever it takes, unless the partitions are lost; a process that stops tries once."""
        assignment, pause = self._assignment, _Pause(self, stop)
        while self._waiting and assignment == self._assignment:
            batch, taken = gather(self._waiting)
            try:
                self._write(batch)
            except _GenerationGoneError:
                LOG.warning(
                    "Redis was emptied, or another generation begun: the log is read again from where that stands"
                )
                self._waiting.clear()
                self._log.again()
            except RedisError as error:
                if stop.is_set():
                    return
                pause(error)
            else:
                del self._waiting[:taken]
                metrics.ROWS.labels(SINK).inc(batch.events)
                metrics.UNREADABLE.labels(SINK).inc(taken - batch.events)
                self._log.commit(batch.offsets)
        pause.end()

    def _write(self, batch: Batch) -> None:
        """Write a batch, whole or not at all. Raises RedisError, _GenerationGoneError."""
        with metrics.INSERT_SECONDS.labels(SINK).time():
            # EVAL, not EVALSHA: a server that was started again knows no scripts.
            is_put = self._redis.eval(
                PUT,
                2,
                generation_key(self._deployment),
                self._offsets_key(),
                self._generation,
                place_key(self._deployment, self._generation, ""),
                PLACE_SECONDS_KEPT,
                packed(batch),
            )
        if not is_put:
            raise _GenerationGoneError

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


def gather(records: list[LogRecord]) -> tuple[Batch, int]:
    """Fold the first records into one batch of a bounded size; also gives how many it took."""
    places: dict[str, Place] = {}
    offsets: dict[int, int] = {}
    events = taken = 0
    for record in records:
        if len(places) >= ORDERS_PER_BATCH_MAX:
            break
        taken += 1
        offsets[record.partition] = record.offset
        facts = read(record.value)
        if facts is None:
            continue
        events += 1
        if facts.order_id:
            fold(places.setdefault(facts.order_id, {}), facts, record.partition, record.offset)
    return Batch(places, offsets, events), taken


def packed(batch: Batch) -> bytes:
    """Give a batch as PUT wants it."""
    places = [
        (order_id, place["offset"], [*chain.from_iterable(place.items())]) for order_id, place in batch.places.items()
    ]
    return msgspec.msgpack.encode((places, [*batch.offsets.items()]))
