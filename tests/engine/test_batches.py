"""What was fetched is delivered under the membership that it was read under, or not at all."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from aiokafka.consumer.subscription_state import SubscriptionState
from faust.types import TP

from pipeline.engine.batches import Consumer, ConsumerThread
from pipeline.engine.fetching import Fetched
from pipeline.engine.membership import Membership
from pipeline.engine.stage import Record

if TYPE_CHECKING:
    from collections.abc import Callable

OLD, NEW = Membership("group", 1, "member"), Membership("group", 2, "member")
PARTITION = ("stock.commands", 0)


class Delivering(Consumer):
    """A consumer whose fetch returns two records, from offset 60 on, and during which something happens."""

    def __init__(self, during: Callable[[Delivering], None], batch_records_max: int) -> None:
        self.during = during
        self.flow_active = True
        self.can_resume_flow = asyncio.Event()
        self.assigned: list[object] = []
        self._active_partitions = {TP(*PARTITION)}
        self._thread = SimpleNamespace(is_reading=nullcontext)  # type: ignore[assignment]
        self.fetcher = SimpleNamespace(fetch=self._fetch, assign=self._assign)  # type: ignore[assignment]
        self._engine = SimpleNamespace(
            membership=OLD,
            settings=SimpleNamespace(batch_records_max=batch_records_max),
            resume_offsets=lambda: {PARTITION: 60},
            expect_batch=lambda: None,
        )

    @property
    def engine(self) -> Any:  # noqa: ANN401  a stand-in with what the consumer asks of it
        return self._engine

    @property
    def should_stop(self) -> bool:
        return False

    async def wait(self, *events: Any, **_: Any) -> Any:  # noqa: ANN401  Faust's
        await events[0].wait()

    def let_flow(self) -> None:
        self.flow_active = True
        self.can_resume_flow.set()

    async def _fetch(self, active: set[TP]) -> Fetched:
        assert active == {PARTITION}
        self.during(self)
        return Fetched(OLD, {PARTITION: [Record(*PARTITION, offset, 1, b"k", b"v", ()) for offset in (60, 61)]})

    async def _assign(self, *assigned: object) -> None:
        self.assigned.append(assigned)


def delivered(
    during: Callable[[Delivering], None], batch_records_max: int = 1000
) -> list[tuple[Membership, list[int]]]:
    """Give the batches of one fetch: their membership, and their offsets."""

    async def run() -> list[tuple[Membership, list[int]]]:
        consumer = Delivering(during, batch_records_max)
        batches: list[Any] = [message.value async for _, message in consumer.getmany(1.0)]
        return [(batch.membership, [record.offset for record in batch.records]) for batch in batches]

    return asyncio.run(run())


def test_a_fetch_in_peace_is_one_batch() -> None:
    assert delivered(lambda _: None) == [(OLD, [60, 61])]


def test_a_fetch_of_many_records_is_several_batches() -> None:
    assert delivered(lambda _: None, batch_records_max=1) == [(OLD, [60]), (OLD, [61])]


def test_a_fetch_that_returns_while_no_records_flow_waits_until_they_do() -> None:
    def during(consumer: Delivering) -> None:
        consumer.flow_active = False
        asyncio.get_running_loop().call_soon(consumer.let_flow)

    assert delivered(during) == [(OLD, [60, 61])]


def test_a_fetch_that_a_whole_rebalance_overtook_is_dropped() -> None:
    def during(consumer: Delivering) -> None:
        consumer.engine.membership = NEW

    assert delivered(during) == []


def test_a_fetch_that_returns_while_partitions_are_revoked_is_dropped() -> None:
    def during(consumer: Delivering) -> None:
        consumer.engine.membership = None

    assert delivered(during) == []


def assigned(membership: Membership | None) -> list[object]:
    """Give what the reader is told to read under a membership."""

    async def run() -> list[object]:
        consumer = Delivering(lambda _: None, 1)
        consumer.engine.membership = membership
        await consumer.seek_to_committed()
        return consumer.assigned

    return asyncio.run(run())


def test_an_assignment_is_read_from_its_restored_offsets_on() -> None:
    assert assigned(NEW) == [(NEW, {PARTITION: 60})]


def test_nothing_is_read_without_a_membership() -> None:
    assert assigned(None) == [(None, {})]


def test_a_fetch_that_is_cancelled_is_asked_for_no_more() -> None:
    """Else aiokafka would take the worker for one that reads for ever, and never leave the group for it."""

    async def run() -> int:
        state = SubscriptionState()
        thread = SimpleNamespace(_ensure_consumer=lambda: SimpleNamespace(_subscription=state))
        with suppress(TimeoutError):
            async with asyncio.timeout(0.001):
                with ConsumerThread.is_reading(thread):  # type: ignore[arg-type]  # a stand-in
                    assert state._fetch_count == 1  # noqa: SLF001  no public name
                    await asyncio.Event().wait()
        return int(state._fetch_count)  # noqa: SLF001

    assert asyncio.run(run()) == 0
