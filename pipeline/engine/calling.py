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
    from collections.abc import Awaitable, Callable, Sequence

    from pipeline.domain.commands import Command
    from pipeline.engine.batches import Batch
    from pipeline.engine.engine import Engine
    from pipeline.engine.stage import CallingStage, Record

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
        self._call: Callable[[Any], Awaitable[Sequence[Command]]] | None = None
        self._tails: dict[int, asyncio.Task[None]] = {}

    async def start(self, batch: Batch) -> None:
        """Start the calls of a batch, as slots come free."""
        if self._call is None:
            self._call = await self._connection.enter_async_context(self.stage.connect(self._engine.settings))
        for first in range(0, len(batch.records), PIECE_RECORDS_MAX):
            piece = batch._replace(records=batch.records[first : first + PIECE_RECORDS_MAX])
            if piece.membership != self._engine.membership:
                return
            calls = []
            for record in piece.records:
                await self._slots.acquire()
                calls.append(asyncio.create_task(self._one(self._call, piece, record)))
            before = self._tails.get(batch.partition)
            self._tails[batch.partition] = asyncio.create_task(self._finish(piece, calls, before))

    async def stop(self) -> None:
        """Drop the calls that are under way, and close what they used."""
        tails = list(self._tails.values())
        for tail in tails:
            tail.cancel()
        await asyncio.gather(*tails, return_exceptions=True)
        await self._connection.aclose()

    async def _one(self, call: Callable[[Any], Awaitable[Sequence[Command]]], batch: Batch, record: Record) -> Any:  # noqa: ANN401  Outcome
        """Make the calls of one record, each after its delay, and while the batch is still this worker's."""
        answers: list[Command] = []
        try:
            for command in self.stage.decode(record):
                await asyncio.sleep(command.delay_seconds)
                if await self._engine.may_call(batch):
                    answers.extend(await call(command))
        except PoisonError as error:
            return record, error
        else:
            return record, answers
        finally:
            self._slots.release()

    async def _finish(
        self, piece: Batch, calls: Sequence[asyncio.Task[Any]], before: asyncio.Task[None] | None
    ) -> None:
        """Emit the answers of a piece, after those of the piece before it."""
        try:
            outcomes = await asyncio.gather(*calls)
            if before is not None:
                await before
            await self._engine.settle(piece, lambda: self._emit(outcomes))
        except Exception as error:  # noqa: BLE001  a bug: the process ends here
            self._engine.crash(error)

    def _emit(self, outcomes: Sequence[Any]) -> None:
        for record, answers in outcomes:
            if isinstance(answers, PoisonError):
                bury(self.produce, self.stage.name, record, answers)
                self.dead_letters[answers.reason] += 1
                continue
            for answer in answers:
                topic, key = self._routes[type(answer)]
                self.produce(topic, encode_json(answer), getattr(answer, key))
