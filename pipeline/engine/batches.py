"""How records reach an agent: Faust's Kafka transport, changed to deliver partition batches and to leave offsets alone.

Faust calls these classes; each override says which of Faust's habits it replaces.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from faust.events import Event as FaustEvent
from faust.serializers.schemas import Schema
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from pipeline.engine.fetching import Fetcher
from pipeline.engine.membership import Membership

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from pipeline.engine.engine import Engine
    from pipeline.engine.stage import Record


class Batch(NamedTuple):
    """Records of one partition, in order, with the membership under which they were read."""

    membership: Membership
    topic: str
    partition: int
    records: list[Record]

    @property
    def next_offset(self) -> int:
        """The offset after the last record."""
        return self.records[-1].offset + 1


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Belongs to the group, and reads nothing: the fetcher does that."""

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Keep aiokafka from fetching what nobody would take from it."""
        self._ensure_consumer().pause(*driver.ensure_aiokafka_TPset(assigned))
        await super().on_partitions_assigned(assigned, generation_id)

    def membership(self) -> Membership:
        """Give the group membership of this moment."""
        coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001  no public name
        conf = self.app.conf
        return Membership(conf.id, coordinator.generation, coordinator.member_id, conf.consumer_group_instance_id or "")

    @contextmanager
    def is_reading(self) -> Iterator[None]:
        """Tell aiokafka for a block of code that records are asked for: it leaves the group when nobody does."""
        context = self._ensure_consumer()._subscription.fetch_context()  # noqa: SLF001  no public name
        context.__enter__()
        try:
            yield
        finally:
            context.__exit__(None, None, None)  # aiokafka's own takes no leave of a block that is cancelled


class Consumer(driver.Consumer):
    """Delivers one message per partition batch, and never commits: the transaction owns the offsets."""

    _thread: ConsumerThread
    fetcher: Fetcher

    @property
    def engine(self) -> Engine:
        """The engine that the batches are for."""
        return self.app.engine  # type: ignore[attr-defined,no-any-return]  # the app is ours

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def on_start(self) -> None:
        """Open the reader beside the member of the group."""
        self.fetcher = Fetcher(self.engine.settings)
        await super().on_start()

    async def on_stop(self) -> None:
        """Close the reader."""
        await super().on_stop()
        await self.fetcher.close()

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ARG002, ASYNC109  Faust's
        """Yield batches of what was fetched, as long as the membership holds under which it was read.

        What is not delivered is not lost: the next assignment begins at what is committed then.
        """
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]  # an asyncio event waits as well
        with self._thread.is_reading():
            fetched = await self.fetcher.fetch(self._get_active_partitions())
        size = self.engine.settings.batch_records_max
        for (topic, number), records in fetched.records.items():
            for start in range(0, len(records), size):
                if not self.flow_active:
                    await self.wait(self.can_resume_flow)  # type: ignore[arg-type]  # the same
                membership = fetched.membership
                if self.should_stop or membership is None or membership != self.engine.membership:
                    return
                self.engine.expect_batch()
                batch = Batch(membership, topic, number, records[start : start + size])
                yield TP(topic, number), _message(batch)

    def ack(self, message: Any) -> bool:  # noqa: ANN401  Faust's
        """Forget a message. Nothing is ever committed because of it."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ANN401, FBT001, FBT002, ARG002
        """Do nothing, where Faust would commit offsets."""
        return False

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: a batch's offset is its last record's, so the jump is no gap."""

    async def verify_all_partitions_active(self) -> None:
        """Do nothing: Faust would warn of offsets that it does not see committed. The lag metrics tell more."""

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish and commit the batch in hand before the group rejoins."""
        try:
            await self.engine.on_revoked()
        except Exception as error:  # noqa: BLE001  Faust would log it and go on
            self.engine.crash(error)
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Tell the engine while the group waits for this: membership and partitions belong together."""
        self.engine.on_assigned(self._thread.membership(), frozenset((tp.topic, tp.partition) for tp in assigned))
        await super().on_partitions_assigned(assigned, generation_id)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Resume from the offsets that the tables were restored to, read with require_stable."""
        membership = self.engine.membership
        offsets = self.engine.resume_offsets() if membership is not None else {}
        await self.fetcher.assign(membership, offsets)
        return {TP(*partition): offset for partition, offset in offsets.items()}


class BatchSchema(Schema):  # type: ignore[type-arg]
    """Hands a batch to the agent as it is: decoding is the stage's."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Awaitable[FaustEvent]]:  # noqa: ANN401  Faust's
        """Give the function that Faust calls for each message."""

        async def decode(message: Any, *, propagate: bool = False) -> FaustEvent:  # noqa: ANN401, ARG001  Faust's
            return FaustEvent(app, None, message.value, [], message)

        return decode


class Transport(driver.Transport):
    """Kafka, with the consumer above."""

    Consumer = Consumer


def _message(batch: Batch) -> ConsumerMessage:
    """Wrap a batch. Without `generation_id` Faust's streams skip the message, silently."""
    last = batch.records[-1]
    value: Any = batch  # Faust expects bytes and hands them on as they are
    return ConsumerMessage(
        batch.topic,
        batch.partition,
        last.offset,
        last.timestamp_ms / 1000,
        0,
        [],
        None,
        value,
        None,
        0,
        0,
        TP(batch.topic, batch.partition),
        generation_id=batch.membership.generation,
    )
