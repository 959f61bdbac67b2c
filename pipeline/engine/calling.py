"""How a calling stage runs: many calls at once, their answers emitted in the order of the records, with their offset.

The calls happen outside the transaction. A crash, or a partition that moves, repeats those whose answers were not
committed: their keys make that harmless. But a call must not be made late, when a successor has made it and what
follows from it: each is made only while the group is known to count on this worker.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from pipeline.engine.deciding import bury, routes
from pipeline.engine.outputs import encode_json
from pipeline.errors import PoisonError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from pipeline.domain.commands import Command
    from pipeline.engine.batches import Batch
    from pipeline.engine.engine import Engine
    from pipeline.engine.stage import CallingStage, Record

    Call = Callable[[Any], Awaitable[Sequence[Command]]]
    Outcome = Sequence[Command] | PoisonError

PIECE_RECORDS_MAX = 16
"""Records whose answers wait for each other: a slow call delays its piece, and the pieces behind it."""


class Calling:
    """A calling stage at work."""

    def __init__(self, stage: CallingStage, produce: Any, engine: Engine) -> None:  # noqa: ANN401  C code
        self.stage = stage
        self.dead_letters: Counter[str] = Counter()
        self._engine = engine
        self.produce = produce
        self._routes = routes(stage)
        self._slots = asyncio.Semaphore(stage.calls_max)
        self._connection = AsyncExitStack()
        self._call: Call | None = None
        self._tails: dict[int, asyncio.Task[None]] = {}
        self._pieces: set[asyncio.Task[None]] = set()
        self._under_way: set[asyncio.Future[Outcome]] = set()

    async def start(self, batch: Batch) -> None:
        """Start the calls of a batch, as slots come free."""
        if self._call is None:
            self._call = await self._connection.enter_async_context(self.stage.connect(self._engine.settings))
        for first in range(0, len(batch.records), PIECE_RECORDS_MAX):
            piece = batch._replace(records=batch.records[first : first + PIECE_RECORDS_MAX])
            if piece.membership != self._engine.membership:
                return
            calls = [await self._begin(self._call, piece, record) for record in piece.records]
            before = self._tails.get(batch.partition)
            tail = self._tails[batch.partition] = asyncio.create_task(self._finish(piece, calls, before))
            self._pieces.add(tail)
            tail.add_done_callback(self._pieces.discard)

    async def stop(self) -> None:
        """Drop the calls that are under way, and close what they used."""
        dropped: list[asyncio.Future[Any]] = [*self._pieces, *self._under_way]
        for each in dropped:
            each.cancel()
        await asyncio.gather(*dropped, return_exceptions=True)
        await self._connection.aclose()

    async def _begin(self, call: Call, piece: Batch, record: Record) -> asyncio.Future[Outcome]:
        """Begin the calls of one record once a slot is free. What needs no delay is called before this returns."""
        await self._slots.acquire()
        under_way: asyncio.Future[Outcome]
        try:
            commands = self.stage.decode(record)
        except PoisonError as error:
            under_way = _ended(error)
        else:
            if len(commands) != 1 or commands[0].delay_seconds > 0:
                under_way = asyncio.create_task(self._call_in_turn(call, piece, commands))
            elif await self._engine.may_call(piece):
                under_way = asyncio.ensure_future(call(commands[0]))
            else:
                under_way = _ended(())
        self._under_way.add(under_way)
        under_way.add_done_callback(self._end)
        return under_way

    async def _call_in_turn(self, call: Call, piece: Batch, commands: Sequence[Any]) -> Outcome:
        """Make the calls of one record, each after its delay, and while the batch is still this worker's."""
        answers: list[Command] = []
        for command in commands:
            await asyncio.sleep(command.delay_seconds)
            if await self._engine.may_call(piece):
                answers.extend(await call(command))
        return answers

    def _end(self, ended: asyncio.Future[Outcome]) -> None:
        self._under_way.discard(ended)
        self._slots.release()

    async def _finish(
        self, piece: Batch, calls: Sequence[asyncio.Future[Outcome]], before: asyncio.Task[None] | None
    ) -> None:
        """Emit the answers of a piece, after those of the piece before it."""
        try:
            outcomes = [await call for call in calls]
            if before is not None:
                await before
            await self._engine.settle(piece, lambda: self._emit(piece, outcomes))
        except Exception as error:  # noqa: BLE001  a bug: the process ends here
            self._engine.crash(error)

    def _emit(self, piece: Batch, outcomes: Iterable[Outcome]) -> None:
        for record, answers in zip(piece.records, outcomes, strict=True):
            if isinstance(answers, PoisonError):
                bury(self.produce, self.stage.name, record, answers)
                self.dead_letters[answers.reason] += 1
                continue
            for answer in answers:
                topic, key = self._routes[type(answer)]
                self.produce(topic, encode_json(answer), getattr(answer, key))


def _ended(outcome: Outcome) -> asyncio.Future[Outcome]:
    """Give what is known without a call."""
    ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    ended.set_result(outcome)
    return ended
