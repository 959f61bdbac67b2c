"""How records reach an agent: Faust's Kafka transport, changed to deliver partition batches and to leave offsets alone.

Faust calls these classes; each override says which of Faust's habits it replaces.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka.errors import IllegalStateError
from faust.events import Event as FaustEvent
from faust.serializers.schemas import Schema
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from pipeline.engine.membership import Membership
from pipeline.engine.stage import Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    import aiokafka

    from pipeline.engine.engine import Engine

FETCH_WAIT_MAX_MS = 20
"""How long the broker may sit on an empty fetch. Faust's own 1,500 ms delay nothing but a rebalance, and that badly."""


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
    """Reads committed records only, and soon. Faust reads uncommitted ones unless its own exactly-once is on."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:  # noqa: ANN401  Faust's
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001  aiokafka's, before its start
        consumer._fetch_max_wait_ms = FETCH_WAIT_MAX_MS  # noqa: SLF001
        return consumer

    def membership(self) -> Membership:
        """Give the group membership of this moment."""
        coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001  no public name
        conf = self.app.conf
        return Membership(conf.id, coordinator.generation, coordinator.member_id, conf.consumer_group_instance_id or "")

    def read_and_written(self, tp: TP) -> tuple[int, int] | None:
        """Give the next offset to fetch and the log's end, without a round trip; None while they are not known."""
        subscription = self._ensure_consumer()._subscription.subscription  # noqa: SLF001  no public name
        assignment = subscription.assignment if subscription else None
        if assignment is None or tp not in assignment.tps:
            return None
        state = assignment.state_value(tp)
        if not state.has_valid_position or state.highwater is None:
            return None
        return state.position, state.highwater


class Consumer(driver.Consumer):
    """Delivers one message per partition batch, and never commits: the transaction owns the offsets."""

    _thread: ConsumerThread

    @property
    def engine(self) -> Engine:
        """The engine that the batches are for."""
        return self.app.engine  # type: ignore[attr-defined,no-any-return]  # the app is ours

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109  Faust's
        """Yield batches of what was fetched, under the membership that held from before the fetch until after it."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]  # an asyncio event waits as well
        membership = self.engine.membership
        records, active = await self._wait_next_records(timeout)
        if not records or self.should_stop:
            return
        if not self.flow_active or membership is None or membership != self.engine.membership:
            await self._read_again(records)
            return
        size = self.engine.settings.batch_records_max
        for source, fetched in records.items():
            tp = TP(source.topic, source.partition)
            if active is not None and tp not in active and tp not in self._buffered_partitions:
                continue
            for start in range(0, len(fetched), size):
                if not self.flow_active or membership != self.engine.membership:
                    return  # the next assignment seeks: it is yet to come, or it came after this fetch
                chunk = fetched[start : start + size]
                self.engine.expect_batch()
                yield tp, _message(tp, chunk, membership)

    async def _read_again(self, fetched: Iterable[Any]) -> None:
        """Seek back over records that a rebalance overtook: they are not delivered, and the position is behind them.

        A fetch that waited through a rebalance may return between the seek to the committed offsets and the moment when
        records flow again. Without this it would be lost: nothing seeks a second time. While partitions are revoked
        there is nothing to do, since their next assignment seeks.
        """
        if self.engine.membership is None:
            return
        resume = self.engine.resume_offsets()
        offsets = {TP(tp.topic, tp.partition): resume.get((tp.topic, tp.partition)) for tp in fetched}
        known = {tp: offset for tp, offset in offsets.items() if offset is not None}
        if known:
            with suppress(IllegalStateError):  # revoked meanwhile: the next assignment seeks
                await self._thread.seek_wait(known)

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
        offsets = {TP(topic, number): offset for (topic, number), offset in self.engine.resume_offsets().items()}
        if offsets:
            await self._thread.seek_wait(offsets)
        return offsets


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


def _message(tp: TP, chunk: Iterable[Any], membership: Membership) -> ConsumerMessage:
    """Wrap a chunk of fetched records. Without `generation_id` Faust's streams skip the message, silently."""
    records = [Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, r.headers) for r in chunk]
    batch = Batch(membership, tp.topic, tp.partition, records)
    last = records[-1]
    seconds = last.timestamp_ms / 1000
    value: Any = batch  # Faust expects bytes and hands them on as they are
    return ConsumerMessage(
        tp.topic,
        tp.partition,
        last.offset,
        seconds,
        0,
        [],
        None,
        value,
        None,
        0,
        0,
        tp,
        generation_id=membership.generation,
    )
