"""Calls: after their delay, in the order of the records, and only while the worker may make them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson

from pipeline import topics
from pipeline.domain.commands import Answer, CallCarrier, CallKind, RecordAnswer
from pipeline.engine.batches import Batch
from pipeline.engine.calling import PIECE_RECORDS_MAX, Calling
from pipeline.engine.membership import Membership
from pipeline.engine.stage import CallingStage, Record, decoder
from pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

MEMBERSHIP = Membership("group", 1, "member")
SHORT_SECONDS = 0.05
DEADLINE_SECONDS = 5.0
CALLS_MAX = 20


def answer(command: CallCarrier) -> RecordAnswer:
    key = command.fulfilment_id
    return RecordAnswer(at=1, fulfilment_id=key, key=key, kind=CallKind.CREATE, answer=Answer.OK)


class Worker:
    """What Calling asks of the engine, and a carrier that notes who is called and when."""

    def __init__(self, *, may_call: bool = True) -> None:
        self.settings = Settings(kafka="nowhere")
        self.membership = MEMBERSHIP
        self.called: list[tuple[str, float]] = []
        self.answered: list[str] = []
        self.crashed: list[BaseException] = []
        self.is_closed = False
        self._may_call = may_call
        self._settled = asyncio.Event()

    async def may_call(self, batch: Batch) -> bool:
        return self._may_call and batch.membership == self.membership

    async def settle(self, batch: Batch, emit: Callable[[], None]) -> None:
        if self._may_call and batch.membership == self.membership:
            emit()
        self._settled.set()

    def crash(self, error: BaseException) -> None:
        self.crashed.append(error)
        self._settled.set()

    def produce(self, _topic: str, value: bytes, _key: str) -> None:
        self.answered.append(orjson.loads(value)["fulfilment_id"])

    async def call(self, command: CallCarrier) -> Sequence[RecordAnswer]:
        self.called.append((command.key, asyncio.get_running_loop().time()))
        return [answer(command)]

    def calling(self, call: Callable[[CallCarrier], Awaitable[Sequence[RecordAnswer]]] | None = None) -> Calling:
        @asynccontextmanager
        async def connect(_settings: Settings) -> AsyncIterator[Any]:
            yield call or self.call
            self.is_closed = True

        stage = CallingStage(
            name="carrier_calls",
            reads=topics.CARRIER_CALLS,
            decode=decoder(CallCarrier),
            connect=connect,
            writes={RecordAnswer: topics.WAYBILL_COMMANDS},
            calls_max=CALLS_MAX,
        )
        engine: Any = self
        return Calling(stage, self.produce, engine)

    async def run(self, *delays: float) -> float:
        """Run a batch with a call after each of the delays; gives when it began."""
        calling = self.calling()
        began = asyncio.get_running_loop().time()
        await calling.start(batch(*delays))
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self._settled.wait()
        await calling.stop()
        return began


def batch(*delays: float) -> Batch:
    records = [_record(offset, delay) for offset, delay in enumerate(delays)]
    return Batch(MEMBERSHIP, topics.CARRIER_CALLS.name, 0, records)


def _record(offset: int, delay_seconds: float) -> Record:
    key = f"o-{offset}"
    command = {"command": "CallCarrier", "at": 1, "fulfilment_id": key, "key": key, "kind": "create", "carrier": "sf"}
    value = orjson.dumps(command | {"delay_seconds": delay_seconds})
    return Record(topics.CARRIER_CALLS.name, 0, offset, 0, key.encode(), value, ())


def test_a_call_waits_as_long_as_its_command_says() -> None:
    async def run() -> None:
        worker = Worker()
        began = await worker.run(SHORT_SECONDS)
        assert worker.called[0][1] - began >= SHORT_SECONDS

    asyncio.run(run())


def test_answers_come_in_the_order_of_the_records_whichever_call_ends_first() -> None:
    async def run() -> None:
        worker = Worker()
        await worker.run(SHORT_SECONDS, 0.0)
        assert [key for key, _ in worker.called] == ["o-1", "o-0"]
        assert worker.answered == ["o-0", "o-1"]

    asyncio.run(run())


def test_a_worker_that_may_have_been_succeeded_calls_nobody() -> None:
    async def run() -> None:
        worker = Worker(may_call=False)
        await worker.run(0.0, SHORT_SECONDS)
        assert worker.called == []
        assert worker.answered == []

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110  what is waited for is another's state, which sets no event
            await asyncio.sleep(0)


class Carrier:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.waiting: dict[str, tuple[CallCarrier, asyncio.Future[Sequence[RecordAnswer]]]] = {}

    def call(self, command: CallCarrier) -> asyncio.Future[Sequence[RecordAnswer]]:
        answered: asyncio.Future[Sequence[RecordAnswer]] = asyncio.get_running_loop().create_future()
        self.waiting[command.key] = command, answered
        return answered

    def answer(self, *keys: str) -> None:
        for key in keys:
            command, answered = self.waiting.pop(key)
            answered.set_result([answer(command)])


def test_a_slow_call_holds_up_only_what_is_behind_it() -> None:
    async def run() -> None:
        worker, carrier = Worker(), Carrier()
        calling = worker.calling(carrier.call)
        await calling.start(batch(*[0.0] * CALLS_MAX))
        keys = [f"o-{offset}" for offset in range(CALLS_MAX)]
        first, second = keys[:PIECE_RECORDS_MAX], keys[PIECE_RECORDS_MAX:]
        carrier.answer(*first, *second[1:])
        await until(lambda: worker.answered == first)
        carrier.answer(second[0])
        await until(lambda: worker.answered == keys)
        await calling.stop()

    asyncio.run(run())


def test_a_call_waits_until_one_of_those_under_way_has_ended() -> None:
    async def run() -> None:
        worker, carrier = Worker(), Carrier()
        calling = worker.calling(carrier.call)
        starting = asyncio.create_task(calling.start(batch(*[0.0] * (CALLS_MAX + 1))))
        await until(lambda: len(carrier.waiting) == CALLS_MAX)
        await asyncio.sleep(0)
        assert f"o-{CALLS_MAX}" not in carrier.waiting
        carrier.answer("o-7")
        await until(lambda: f"o-{CALLS_MAX}" in carrier.waiting)
        await starting
        await calling.stop()

    asyncio.run(run())


def test_a_record_that_is_no_call_takes_no_slot_and_becomes_a_dead_letter() -> None:
    async def run() -> None:
        worker = Worker()
        buried: list[tuple[Any, ...]] = []
        calling = worker.calling()
        calling.produce = lambda *produced: buried.append(produced)
        bad = [_record(offset, 0.0)._replace(value=b"{") for offset in range(CALLS_MAX + 1)]
        await calling.start(Batch(MEMBERSHIP, topics.CARRIER_CALLS.name, 0, bad))
        await until(lambda: len(buried) == len(bad))
        assert {produced[0] for produced in buried} == {topics.DEAD_LETTERS.name}
        await calling.stop()

    asyncio.run(run())


def test_a_bug_in_a_call_ends_the_process_and_answers_nothing() -> None:
    async def run() -> None:
        def call(_command: CallCarrier) -> asyncio.Future[Sequence[RecordAnswer]]:
            failed: asyncio.Future[Sequence[RecordAnswer]] = asyncio.get_running_loop().create_future()
            failed.set_exception(KeyError("a bug"))
            return failed

        worker = Worker()
        calling = worker.calling(call)
        await calling.start(batch(0.0))
        await until(lambda: bool(worker.crashed))
        assert isinstance(worker.crashed[0], KeyError)
        assert worker.answered == []
        await calling.stop()

    asyncio.run(run())


def test_a_stop_leaves_no_call_no_task_and_no_connection() -> None:
    async def run() -> None:
        worker, carrier = Worker(), Carrier()
        calling = worker.calling(carrier.call)
        await calling.start(batch(*[0.0] * (CALLS_MAX - 1), DEADLINE_SECONDS))
        waiting = dict(carrier.waiting)
        await calling.stop()
        assert all(answered.cancelled() for _, answered in waiting.values())
        await until(lambda: len(asyncio.all_tasks()) == 1)
        assert worker.is_closed
        assert worker.answered == []

    asyncio.run(run())
