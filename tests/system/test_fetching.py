"""The reader on a real broker: what an assignment, a hold-back and a transaction mean to it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import confluent_kafka
import msgspec
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.engine import fetching
from pipeline.engine.fetching import Fetcher
from pipeline.engine.membership import Membership
from pipeline.errors import EngineError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.system

OLD, NEW = Membership("group", 1, "member"), Membership("group", 2, "member")
WITHIN_SECONDS = 30.0
RECORDS = 50


class Topic:
    """A topic of one partition with RECORDS committed records, and as many of an aborted transaction behind them."""

    def __init__(self, kafka: str) -> None:
        self.settings = msgspec.structs.replace(Settings(), kafka=kafka, deployment=f"fetching-{time.monotonic_ns()}")
        self.partition = (self.settings.deployment, 0)
        admin = AdminClient({"bootstrap.servers": kafka})
        admin.create_topics([NewTopic(self.settings.deployment, 1, 1)])[self.settings.deployment].result(10)
        self._producer = confluent_kafka.Producer(
            {"bootstrap.servers": kafka, "transactional.id": self.settings.deployment}
        )
        self._producer.init_transactions(30)
        self.write(commit=True)
        self.write(commit=False)

    def write(self, *, commit: bool) -> None:
        self._producer.begin_transaction()
        for number in range(RECORDS):
            self._producer.produce(self.partition[0], str(number), "key", headers=[("platform", b"generic-json")])
        self._producer.flush(30)
        if commit:
            self._producer.commit_transaction(30)
        else:
            self._producer.abort_transaction(30)

    def run(self, act: Callable[[Fetcher], Awaitable[Any]]) -> Any:  # noqa: ANN401  the act's
        async def begin() -> Any:  # noqa: ANN401
            fetcher = Fetcher(self.settings)
            try:
                await fetcher.assign(OLD, {self.partition: 0})
                return await act(fetcher)
            finally:
                await fetcher.close()

        return asyncio.run(begin())

    async def read(self, fetcher: Fetcher, records: int) -> tuple[set[Membership | None], list[int]]:
        """Read so many records; gives the memberships that they came under, and their offsets."""
        deadline, memberships, offsets = time.monotonic() + WITHIN_SECONDS, set(), list[int]()
        while len(offsets) < records and time.monotonic() < deadline:
            fetched = await fetcher.fetch({self.partition})
            found = [record.offset for record in fetched.records.get(self.partition, ())]
            offsets += found
            memberships |= {fetched.membership} if found else set()
        return memberships, offsets


@pytest.fixture
def topic(kafka: str) -> Topic:
    return Topic(kafka)


def test_committed_records_are_read_and_the_end_is_known_behind_an_aborted_transaction(topic: Topic) -> None:
    async def act(fetcher: Fetcher) -> tuple[int, int] | None:
        assert await topic.read(fetcher, RECORDS) == ({OLD}, list(range(RECORDS)))
        deadline = time.monotonic() + WITHIN_SECONDS
        while True:
            await fetcher.fetch({topic.partition})
            known = fetcher.read_and_written(topic.partition)
            if (known and known[0] == known[1]) or time.monotonic() > deadline:
                return known

    end = 2 * RECORDS + 2  # with the two transactions' markers
    assert topic.run(act) == (end, end)


def test_a_new_assignment_begins_anew_under_its_own_membership(topic: Topic) -> None:
    async def act(fetcher: Fetcher) -> tuple[set[Membership | None], list[int]]:
        await topic.read(fetcher, RECORDS)
        await fetcher.assign(NEW, {topic.partition: RECORDS - 3})
        return await topic.read(fetcher, 3)

    assert topic.run(act) == ({NEW}, [RECORDS - 3, RECORDS - 2, RECORDS - 1])


def test_a_partition_that_was_held_back_is_read_after_a_new_assignment(
    topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "HELD_RECORDS_MAX", 1)

    async def act(fetcher: Fetcher) -> tuple[set[Membership | None], list[int]]:
        deadline = time.monotonic() + WITHIN_SECONDS
        while not fetcher._paused and time.monotonic() < deadline:  # noqa: SLF001  no one else can tell
            await fetcher.fetch(())
        assert fetcher._paused  # noqa: SLF001
        await fetcher.assign(NEW, {topic.partition: 0})
        return await topic.read(fetcher, RECORDS)

    assert topic.run(act) == ({NEW}, list(range(RECORDS)))


def test_an_offset_that_the_log_does_not_have_is_an_error(topic: Topic) -> None:
    async def act(fetcher: Fetcher) -> None:
        await fetcher.assign(NEW, {topic.partition: 10_000})
        await topic.read(fetcher, 1)

    with pytest.raises(EngineError, match="cannot be read"):
        topic.run(act)
