"""What Faust does around the engine: the group, fetches, and the way of batches to the agents.

`getmany` and the seek to the committed offsets are the engine's own code (pipeline/engine/batches.py), run on this
class, on a reader that answers as pipeline/engine/fetching.py does. The rest follows Faust 0.15.3:
transport/consumer.py for the drain, app/base.py for a revocation, tables/recovery.py for what follows an assignment.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, cast

from pipeline.engine import batches
from pipeline.engine.fetching import Fetched
from pipeline.engine.membership import Membership
from pipeline.engine.stage import Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping
    from contextlib import AbstractContextManager

    from faust.types import TP

    from pipeline.engine.batches import Batch
    from tests.simulation.group import Joined
    from tests.simulation.log import Partition
    from tests.simulation.process import Process

HEARTBEAT_SECONDS = 0.6
STREAM_BATCHES_MAX = 16
FETCH_RECORDS_MAX = 8


class Fetcher:
    """The reader, which a thread of its own plays: what it is asked, it does in the order in which it was asked."""

    isolation_level = "read_committed"
    """As pipeline.engine.clients.partition_reader sets it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._membership: Membership | None = None
        self._positions: dict[Partition, int] = {}
        self._news = asyncio.Event()
        self._asked = asyncio.Lock()

    async def assign(self, membership: Membership | None, offsets: Mapping[Partition, int]) -> None:
        """Read these partitions from these offsets on."""

        def assign() -> None:
            self._membership, self._positions = membership, dict(offsets)
            self._news.set()

        async with self._asked:
            await self._process.ask(assign)

    async def fetch(self, _active: Collection[Partition]) -> Fetched:
        """Fetch. What comes back may be overtaken by a rebalance, since it passes between two threads."""
        while True:
            self._news.clear()
            self._process.world.broker.waiting.append(self._tell_news)
            async with self._asked:
                found = await self._process.ask(self._fetch)
            if found.records:
                return found
            await self._news.wait()

    def _tell_news(self) -> None:
        """Wake the fetch: a log has grown."""
        if not self._process.is_ended:
            self._news.set()

    def _fetch(self) -> Fetched:
        found = {}
        committed = self.isolation_level == "read_committed"
        for partition, position in self._positions.items():
            log = self._process.world.broker.log(*partition)
            entries, self._positions[partition] = log.read(position, FETCH_RECORDS_MAX, committed=committed)
            if entries:
                found[partition] = [
                    Record(*partition, e.offset, e.timestamp, e.key, e.value, e.headers) for e in entries
                ]
        return Fetched(self._membership, found)


class Consumer:
    """One process's consumer: aiokafka's part, which a thread of its own plays, and Faust's."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.engine = process.engine
        self.fetcher = Fetcher(process)
        self.flow_active = False
        self.should_stop = False
        self.can_resume_flow = asyncio.Event()
        self.suspend_flow = asyncio.Event()
        self.queues: dict[str, asyncio.Queue[Batch]] = {
            topic: asyncio.Queue(STREAM_BATCHES_MAX) for topic in process.engine.stages
        }
        self._thread = self
        self._joined: Joined | None = None
        self._read_offset: dict[TP, int] = {}
        self._recover = asyncio.Event()
        self._rejoin = asyncio.Event()
        self._is_unknown = False

    # --- the engine's own ---

    def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """Give batches of what was fetched: the engine's code."""
        return batches.Consumer.getmany(cast(Any, self), timeout)

    async def _seek(self) -> None:
        offsets = await batches.Consumer.seek_to_committed(cast(Any, self))
        self._read_offset.update(offsets)

    # --- aiokafka's part ---

    def membership(self) -> Membership:
        """Give the membership of this moment."""
        assert self._joined is not None
        group = self.process.settings.deployment
        return Membership(group, self._joined.generation, self._joined.member, self.process.instance)

    def is_reading(self) -> AbstractContextManager[None]:
        """Note nothing: nobody here leaves a group because records are not asked for."""
        return nullcontext()

    def _get_active_partitions(self) -> frozenset[Partition]:
        assert self._joined is not None
        return self._joined.partitions

    async def wait(self, event: asyncio.Event) -> None:
        """Wait for an event."""
        await event.wait()

    # --- Faust's part ---

    async def belong(self) -> None:
        """Be a member of the group, until the process ends."""
        name = ""
        while True:
            joined = self._joined = await self.process.join(name, self.process.instance)
            name = joined.member
            self.process.world.note(
                f"slot {self.process.slot} joins generation {joined.generation}: {_numbers(joined)}"
            )
            self.engine.on_assigned(self.membership(), joined.partitions)
            self._recover.set()
            self._rejoin.clear()
            beats = asyncio.ensure_future(self._beat(name))
            await self._rejoin.wait()
            await self._revoke()
            beats.cancel()
            if self._is_unknown:
                name = ""

    async def _beat(self, name: str) -> None:
        """Tell the group that this process lives, also while it hands its partitions back."""
        self._is_unknown = False
        while not self._is_unknown:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            status = await self.process.heartbeat(name, self.process.instance)
            self._is_unknown = status == "unknown"
            if status != "stable":
                self._rejoin.set()

    async def _revoke(self) -> None:
        """Hand the partitions back: the engine commits, then the flow of records stops."""
        try:
            await self.engine.on_revoked()
        except Exception as error:  # noqa: BLE001  as the engine's consumer does
            self.engine.crash(error)
        self.flow_active = False
        self.can_resume_flow.clear()
        self.suspend_flow.set()
        if self.process.world.clears_queues:
            for queue in self.queues.values():
                while not queue.empty():
                    queue.get_nowait()

    async def recover(self) -> None:
        """After each assignment: restore, seek, and let records flow, unless it is overtaken by the next one."""
        while True:
            await self._recover.wait()
            self._recover.clear()
            joined = self._joined
            try:
                await self.engine.take_assignment()
            except Exception as error:  # noqa: BLE001  as the app does
                self.engine.crash(error)
            if self._joined is not joined:
                continue
            await self._seek()
            self.flow_active = True
            self.suspend_flow.clear()
            self.can_resume_flow.set()

    async def drain(self) -> None:
        """Hand batches to the agents' streams."""
        while True:
            async for tp, message in self.getmany(1.0):
                if message.offset < self._read_offset.get(tp, 0):
                    continue
                await self._put(tp.topic, message.value)
                self._read_offset[tp] = message.offset
            await asyncio.sleep(0)

    async def _put(self, topic: str, batch: Batch) -> None:
        """Wait for a place in a stream, or until records stop flowing: then the batch is gone."""
        queue = self.queues[topic]
        if not queue.full():
            queue.put_nowait(batch)
            return
        put, stop = asyncio.ensure_future(queue.put(batch)), asyncio.ensure_future(self.suspend_flow.wait())
        await asyncio.wait((put, stop), return_when=asyncio.FIRST_COMPLETED)
        put.cancel()
        stop.cancel()

    async def stream(self, topic: str) -> AsyncIterator[Batch]:
        """Give an agent its batches."""
        while True:
            yield await self.queues[topic].get()


def _numbers(joined: Joined) -> str:
    """Name the partitions of an assignment; they are the same of all topics."""
    return f"partitions {sorted({number for _, number in joined.partitions})}"
