"""What is read, and under which membership, on a reader that answers as librdkafka's does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from confluent_kafka import KafkaError

from pipeline.engine import clients, fetching
from pipeline.engine.fetching import Fetcher
from pipeline.engine.membership import Membership
from pipeline.errors import EngineError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from confluent_kafka import TopicPartition

FIRST, SECOND = ("orders.raw", 0), ("stock.commands", 1)
OLD, NEW = Membership("group", 1, "member"), Membership("group", 2, "member")


class Message(NamedTuple):
    """A record or an error, with confluent_kafka's methods."""

    place: tuple[str, int]
    at: int
    failure: int = 0

    def topic(self) -> str:
        return self.place[0]

    def partition(self) -> int:
        return self.place[1]

    def offset(self) -> int:
        return self.at

    def error(self) -> KafkaError | None:
        return KafkaError(self.failure) if self.failure else None

    def timestamp(self) -> tuple[int, int]:
        return 2, 1000 + self.at

    def key(self) -> bytes:
        return b"key"

    def value(self) -> bytes:
        return b"value"

    def headers(self) -> None:
        return None


class Reader:
    """Gives what was put into it, in that order."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.assigned: list[tuple[str, int, int]] = []
        self.paused: set[tuple[str, int]] = set()
        self.is_closed = False

    def assign(self, positions: Iterable[TopicPartition]) -> None:
        self.assigned = [(p.topic, p.partition, p.offset) for p in positions]
        self.messages = []

    def poll(self, _seconds: float) -> Message | None:
        return self.messages.pop(0) if self.messages else None

    def consume(self, records_max: int, _seconds: float) -> list[Message]:
        taken, self.messages = self.messages[:records_max], self.messages[records_max:]
        return taken

    def pause(self, positions: Iterable[TopicPartition]) -> None:
        self.paused |= {(p.topic, p.partition) for p in positions}

    def resume(self, positions: Iterable[TopicPartition]) -> None:
        self.paused -= {(p.topic, p.partition) for p in positions}

    def get_watermark_offsets(self, _position: TopicPartition, *, cached: bool) -> tuple[int, int]:
        assert cached
        return 0, 9

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    made = Reader()
    monkeypatch.setattr(clients, "partition_reader", lambda _: made)
    return made


def run(act: Callable[[Fetcher], Awaitable[Any]]) -> Any:  # noqa: ANN401  the act's
    async def begin() -> Any:  # noqa: ANN401
        fetcher = Fetcher(Settings())
        await fetcher.assign(OLD, {FIRST: 3, SECOND: 5})
        return await act(fetcher)

    return asyncio.run(begin())


async def offsets(fetcher: Fetcher, *active: tuple[str, int]) -> dict[tuple[str, int], list[int]]:
    fetched = await fetcher.fetch(active)
    return {partition: [record.offset for record in records] for partition, records in fetched.records.items()}


def test_records_come_by_partition_in_their_order_with_all_that_the_log_says_of_them(reader: Reader) -> None:
    async def act(fetcher: Fetcher) -> None:
        reader.messages = [Message(FIRST, 3), Message(SECOND, 5), Message(FIRST, 4)]
        fetched = await fetcher.fetch({FIRST, SECOND})
        assert fetched.membership == OLD
        assert [record.offset for record in fetched.records[FIRST]] == [3, 4]
        assert fetched.records[SECOND] == [("stock.commands", 1, 5, 1005, b"key", b"value", ())]

    run(act)
    assert reader.assigned == [("orders.raw", 0, 3), ("stock.commands", 1, 5)]


def test_what_is_read_after_an_assignment_has_its_membership_and_nothing_from_before_it(reader: Reader) -> None:
    async def act(fetcher: Fetcher) -> None:
        reader.messages = [Message(FIRST, 3), Message(SECOND, 5)]
        assert await offsets(fetcher, FIRST) == {FIRST: [3]}
        await fetcher.assign(NEW, {SECOND: 4})
        reader.messages = [Message(SECOND, 4)]
        fetched = await fetcher.fetch({FIRST, SECOND})
        assert fetched.membership == NEW
        assert [record.offset for record in fetched.records[SECOND]] == [4]

    run(act)


def test_a_partition_whose_stage_is_busy_waits_and_holds_up_no_other(reader: Reader) -> None:
    async def act(fetcher: Fetcher) -> None:
        reader.messages = [Message(FIRST, 3), Message(SECOND, 5)]
        assert await offsets(fetcher, SECOND) == {SECOND: [5]}
        reader.messages = [Message(FIRST, 4)]
        assert await offsets(fetcher, FIRST, SECOND) == {FIRST: [3, 4]}

    run(act)


def test_no_more_is_read_of_a_partition_of_which_too_much_is_held(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "HELD_RECORDS_MAX", 2)

    async def act(fetcher: Fetcher) -> None:
        reader.messages = [Message(FIRST, 3), Message(FIRST, 4)]
        await fetcher.fetch({SECOND})
        assert reader.paused == {FIRST}
        assert await offsets(fetcher, FIRST) == {FIRST: [3, 4]}
        assert reader.paused == set()

    run(act)


def test_a_pause_does_not_outlive_an_assignment(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "HELD_RECORDS_MAX", 2)

    async def act(fetcher: Fetcher) -> None:
        reader.messages = [Message(FIRST, 3), Message(FIRST, 4)]
        await fetcher.fetch({SECOND})
        assert reader.paused == {FIRST}
        await fetcher.assign(NEW, {FIRST: 3})
        assert reader.paused == set()

    run(act)


def test_the_end_of_a_partition_is_known_past_what_nobody_gets_to_see(reader: Reader) -> None:
    async def act(fetcher: Fetcher) -> None:
        assert fetcher.read_and_written(FIRST) == (3, 9)
        reader.messages = [Message(FIRST, 3), Message(FIRST, 9, KafkaError._PARTITION_EOF)]  # noqa: SLF001  its name
        await fetcher.fetch({FIRST})
        assert fetcher.read_and_written(FIRST) == (9, 9)
        assert fetcher.read_and_written(("dead.letters", 0)) is None

    run(act)


@pytest.mark.parametrize("code", [KafkaError._TRANSPORT, KafkaError.REQUEST_TIMED_OUT, KafkaError.NETWORK_EXCEPTION])  # noqa: SLF001
def test_an_error_that_passes_is_waited_for(reader: Reader, code: int) -> None:
    async def act(fetcher: Fetcher) -> None:
        reader.messages = [Message(FIRST, 0, code), Message(FIRST, 3)]
        assert await offsets(fetcher, FIRST) == {FIRST: [3]}

    run(act)


def test_an_offset_that_the_log_does_not_have_names_its_partition(reader: Reader) -> None:
    async def act(fetcher: Fetcher) -> None:
        reader.messages = [Message(FIRST, 3, KafkaError._AUTO_OFFSET_RESET)]  # noqa: SLF001
        await fetcher.fetch({FIRST})

    with pytest.raises(EngineError, match=r"orders\.raw-0 cannot be read"):
        run(act)


def test_a_reader_that_is_closed_hangs_up(reader: Reader) -> None:
    run(lambda fetcher: fetcher.close())
    assert reader.is_closed
