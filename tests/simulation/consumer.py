"""What Faust does around the engine: the group, fetches, and the way of batches to the agents.

`getmany`, the seek to the committed offsets and the second look at what a rebalance overtook are the engine's own code
(pipeline/engine/batches.py), run on this class. The rest follows Faust 0.15.3: transport/consumer.py for the drain,
app/base.py for a revocation, tables/recovery.py for what follows an assignment.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from faust.types import TP

from pipeline.engine import batches
from pipeline.engine.membership import Membership

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from pipeline.engine.batches import Batch
    from tests.simulation.group import Joined
    from tests.simulation.log import Entry
    from tests.simulation.process import Process

HEARTBEAT_SECONDS = 0.6
STREAM_BATCHES_MAX = 16
FETCH_RECORDS_MAX = 8


class Consumer:
    """One process's consumer: aiokafka's part, which a thread of its own plays, and Faust's."""

    isolation_level = "read_committed"
    """As pipeline.engine.batches.ConsumerThread sets it."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.engine = process.engine
        self.flow_active = False
        self.should_stop = False
        self.can_resume_flow = asyncio.Event()
        self.suspend_flow = asyncio.Event()
        self.queues: dict[str, asyncio.Queue[Batch]] = {
            topic: asyncio.Queue(STREAM_BATCHES_MAX) for topic in process.engine.stages
        }
        self._buffered_partitions: set[TP] = set()
        self._thread = self
        self._joined: Joined | None = None
        self._positions: dict[TP, int | None] = {}
        self._read_offset: dict[TP, int] = {}
        self._recover = asyncio.Event()
        self._rejoin = asyncio.Event()
        self._is_unknown = False
        self._news = asyncio.Event()
        self._seeking = asyncio.Lock()

    # --- the engine's own ---

    def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """Give batches of what was fetched: the engine's code."""
        return batches.Consumer.getmany(cast(Any, self), timeout)

    async def _read_again(self, fetched: Iterable[Any]) -> None:
        await batches.Consumer._read_again(cast(Any, self), fetched)  # noqa: SLF001  the engine's code

    async def _seek(self) -> None:
        offsets = await batches.Consumer.seek_to_committed(cast(Any, self))
        self._read_offset.update(offsets)

    # --- aiokafka's part ---

    def membership(self) -> Membership:
        """Give the membership of this moment."""
        assert self._joined is not None
        group = self.process.settings.deployment
        return Membership(group, self._joined.generation, self._joined.member, self.process.instance)

    async def seek_wait(self, offsets: Mapping[TP, int]) -> None:
        """Seek, on the other thread, which does what it is asked in the order in which it was asked."""

        def seek() -> None:
            self._positions.update({tp: offset for tp, offset in offsets.items() if tp in self._positions})
            self._news.set()

        async with self._seeking:
            await self.process.ask(seek)

    async def wait(self, event: asyncio.Event) -> None:
        """Wait for an event."""
        await event.wait()

    async def _wait_next_records(self, _timeout: float) -> tuple[dict[TP, list[Entry]], set[TP]]:
        """Fetch. What comes back may be overtaken by a rebalance, since it passes between two threads."""
        if not self.flow_active:
            await self.can_resume_flow.wait()
        while True:
            self._news.clear()
            self.process.world.broker.waiting.append(self._tell_news)
            found = await self.process.ask(self._fetch)
            if found:
                return found, set(self._positions)
            await self._news.wait()

    def _tell_news(self) -> None:
        """Wake the fetch: a log has grown."""
        if not self.process.is_ended:
            self._news.set()

    def _fetch(self) -> dict[TP, list[Entry]]:
        found = {}
        committed = self.isolation_level == "read_committed"
        for tp, position in self._positions.items():
            if position is not None:
                log = self.process.world.broker.log(tp.topic, tp.partition)
                entries, self._positions[tp] = log.read(position, FETCH_RECORDS_MAX, committed=committed)
                if entries:
                    found[tp] = entries
        return found

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
            self._positions = {TP(*partition): None for partition in sorted(joined.partitions)}
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
        self._positions.clear()

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
