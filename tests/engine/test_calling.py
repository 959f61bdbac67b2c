"""Calls: after their delay, in the order of the records, and only while the worker may make them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson

from pipeline import topics
from pipeline.domain.commands import Answer, CallCarrier, CallKind, RecordAnswer
from pipeline.engine.batches import Batch
from pipeline.engine.calling import Calling
from pipeline.engine.membership import Membership
from pipeline.engine.stage import CallingStage, Record, decoder
from pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

MEMBERSHIP = Membership("group", 1, "member")
SHORT_SECONDS = 0.05


class Worker:
    """What Calling asks of the engine, and a carrier that notes who is called and when."""

    def __init__(self, *, may_call: bool = True) -> None:
        self.settings = Settings(kafka="nowhere")
        self.membership = MEMBERSHIP
        self.called: list[tuple[str, float]] = []
        self.answered: list[str] = []
        self._may_call = may_call
        self._settled = asyncio.Event()

    async def may_call(self, batch: Batch) -> bool:
        return self._may_call and batch.membership == self.membership

    async def settle(self, batch: Batch, emit: Callable[[], None]) -> None:
        if self._may_call and batch.membership == self.membership:
            emit()
        self._settled.set()

    def crash(self, error: BaseException) -> None:
        raise error

    def produce(self, _topic: str, value: bytes, _key: str) -> None:
        self.answered.append(orjson.loads(value)["fulfilment_id"])

    @asynccontextmanager
    async def connect(
        self, _settings: Settings
    ) -> AsyncIterator[Callable[[CallCarrier], Awaitable[Sequence[RecordAnswer]]]]:
        async def call(command: CallCarrier) -> Sequence[RecordAnswer]:
            self.called.append((command.key, asyncio.get_running_loop().time()))
            key = command.fulfilment_id
            return [RecordAnswer(at=1, fulfilment_id=key, key=key, kind=CallKind.CREATE, answer=Answer.OK)]

        yield call

    async def run(self, *delays: float) -> float:
        """Run a batch with a call after each of the delays; gives when it began."""
        stage = CallingStage(
            name="carrier_calls",
            reads=topics.CARRIER_CALLS,
            decode=decoder(CallCarrier),
            connect=self.connect,
            writes={RecordAnswer: topics.WAYBILL_COMMANDS},
            calls_max=8,
        )
        engine: Any = self
        calling = Calling(stage, self.produce, engine)
        records = [_record(offset, delay) for offset, delay in enumerate(delays)]
        began = asyncio.get_running_loop().time()
        await calling.start(Batch(MEMBERSHIP, topics.CARRIER_CALLS.name, 0, records))
        async with asyncio.timeout(5):
            await self._settled.wait()
        await calling.stop()
        return began


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
