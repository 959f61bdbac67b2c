"""What was fetched around a rebalance is delivered, or read again."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from aiokafka import ConsumerRecord
from faust.types import TP

from pipeline.engine.batches import Consumer
from pipeline.engine.membership import Membership

if TYPE_CHECKING:
    from collections.abc import Callable

OLD, NEW = Membership("group", 1, "member"), Membership("group", 2, "member")
PARTITION = TP("stock.commands", 0)


class Fetched(Consumer):
    """A consumer whose fetch returns two records, from offset 60 on, and during which something happens."""

    def __init__(self, during: Callable[[Fetched], None]) -> None:
        self.during = during
        self.flow_active = True
        self.sought: list[dict[TP, int]] = []
        self._buffered_partitions = set()
        self._thread = SimpleNamespace(seek_wait=self._note_seek)  # type: ignore[assignment]
        self._engine = SimpleNamespace(
            membership=OLD,
            settings=SimpleNamespace(batch_records_max=1000),
            resume_offsets=lambda: {("stock.commands", 0): 60},
            expect_batch=lambda: None,
        )

    @property
    def engine(self) -> Any:  # noqa: ANN401  a stand-in with what the consumer asks of it
        return self._engine

    @property
    def should_stop(self) -> bool:
        return False

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ANN401, ARG002, ASYNC109  Faust's
        self.during(self)
        fetched = [ConsumerRecord("stock.commands", 0, offset, 0, 1, b"k", b"v", None, 1, 1, ()) for offset in (60, 61)]
        return {PARTITION: fetched}, {PARTITION}

    async def _note_seek(self, offsets: dict[TP, int]) -> None:
        self.sought.append(offsets)


def deliver(during: Callable[[Fetched], None]) -> tuple[list[Any], list[dict[TP, int]]]:
    """Give the batches of one fetch, and the seeks."""

    async def run() -> tuple[list[Any], list[dict[TP, int]]]:
        consumer = Fetched(during)
        batches = [message.value async for _, message in consumer.getmany(1.0)]
        return batches, consumer.sought

    return asyncio.run(run())


def test_a_fetch_in_peace_is_one_batch() -> None:
    (batch,), sought = deliver(lambda _: None)
    assert (batch.membership, [record.offset for record in batch.records]) == (OLD, [60, 61])
    assert sought == []


def test_a_fetch_that_returns_after_the_seek_and_before_the_flow_is_read_again() -> None:
    def during(consumer: Fetched) -> None:
        consumer.engine.membership = NEW
        consumer.flow_active = False

    assert deliver(during) == ([], [{PARTITION: 60}])


def test_a_fetch_that_a_whole_rebalance_overtook_is_read_again() -> None:
    def during(consumer: Fetched) -> None:
        consumer.engine.membership = NEW

    assert deliver(during) == ([], [{PARTITION: 60}])


def test_a_fetch_that_returns_while_partitions_are_revoked_leaves_the_seek_to_the_next_assignment() -> None:
    def during(consumer: Fetched) -> None:
        consumer.engine.membership = None

    assert deliver(during) == ([], [])
