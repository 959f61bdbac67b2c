"""Before the world is called, the group must have confirmed the worker's membership lately."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from agents.carrier_calls import CARRIER_CALLS
from pipeline import topics
from pipeline.engine import engine as engine_module
from pipeline.engine.batches import Batch
from pipeline.engine.engine import Engine
from pipeline.engine.membership import Membership
from pipeline.engine.tables import PartitionTables
from pipeline.errors import UnknownOutcomeError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.engine.restore import Partition

OURS = Membership("group", 1, "member")
THEIRS = Membership("group", 2, "member")
PLACE = (topics.CARRIER_CALLS.name, 0)
NEXT_OFFSET = 7
SESSION_SECONDS = 6.0
BATCH = Batch(OURS, *PLACE, [])


class Group:
    """A transaction's view of the group: notes what is committed, and refuses once the worker is expelled."""

    def __init__(self) -> None:
        self.offsets: dict[Partition, int] = {}
        self.records = 0
        self.committed: list[dict[Partition, int]] = []
        self.has_expelled = False
        self.produce = None

    def advance(self, partition: Partition, next_offset: int, _records: int) -> None:
        self.offsets[partition] = next_offset

    def commit(self, _membership: Membership) -> None:
        if self.has_expelled:
            message = "UNKNOWN_MEMBER_ID"
            raise UnknownOutcomeError(message)
        self.committed.append(dict(self.offsets))
        self.offsets.clear()


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    perf_counter = time = monotonic


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(engine_module, "time", clock)
    return clock


def engine_of(group: Any) -> Engine:  # noqa: ANN401  stands where a Transaction does
    engine = Engine(Settings(kafka="nowhere", session_timeout_seconds=SESSION_SECONDS), [CARRIER_CALLS])
    engine._transaction = group  # noqa: SLF001  what Engine.start would make, with a broker
    held = PartitionTables(CARRIER_CALLS)
    held.next_offset = NEXT_OFFSET
    engine.partitions = {PLACE: held}
    engine.membership = OURS
    return engine


def test_the_first_call_asks_the_group_by_a_commit_of_the_offsets_as_they_are(clock: Clock) -> None:
    group = Group()
    engine = engine_of(group)
    assert asyncio.run(engine.may_call(BATCH))
    assert group.committed == [{PLACE: NEXT_OFFSET}]
    assert clock.now == 1000.0


def test_a_membership_that_was_confirmed_lately_is_not_asked_for_again(clock: Clock) -> None:
    group = Group()
    engine = engine_of(group)

    async def call_twice() -> None:
        assert await engine.may_call(BATCH)
        clock.now += SESSION_SECONDS / 4
        assert await engine.may_call(BATCH)

    asyncio.run(call_twice())
    assert len(group.committed) == 1


class EndedError(BaseException):
    """Stands for the end of the process."""


def test_a_worker_that_slept_through_its_session_ends_before_it_calls(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Group()
    engine = engine_of(group)

    def end(_error: BaseException) -> None:
        assert engine._lock.locked()  # noqa: SLF001  nobody else gets in between
        raise EndedError

    monkeypatch.setattr(engine, "crash", end)

    async def sleep_and_call() -> None:
        assert await engine.may_call(BATCH)
        clock.now += SESSION_SECONDS
        group.has_expelled = True
        with pytest.raises(EndedError):
            await engine.may_call(BATCH)

    asyncio.run(sleep_and_call())


def test_a_batch_of_an_older_membership_is_not_called_for(clock: Clock) -> None:
    group = Group()
    engine = engine_of(group)
    engine.membership = THEIRS
    assert not asyncio.run(engine.may_call(BATCH))
    assert group.committed == []
    assert clock.now == 1000.0
