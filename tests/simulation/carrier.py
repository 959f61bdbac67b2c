"""The carrier of a simulation: its book outlives every worker; calls and answers to them get lost."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from pipeline import topics
from pipeline.domain.commands import Answer, CallCarrier, RecordAnswer
from tests.agents import flow
from tests.simulation.broker import Draft

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from pipeline.settings import Settings
    from tests.simulation.world import World

REFUSE_SHARE = 0.05
REPORT_MS = 100
STEPS = (1, len(flow.JOURNEY))
"""The reports that are made: of the collection and of the signature."""


class Carrier(flow.Carrier):
    """The carrier of the flow's tests, as something that the world calls."""

    def __init__(self, world: World) -> None:
        super().__init__(random.Random(0), 0.0, REFUSE_SHARE)  # noqa: S311  not asked: the schedule decides
        self._world = world
        self._next_report_ms = 0

    @asynccontextmanager
    async def connect(
        self, _settings: Settings
    ) -> AsyncIterator[Callable[[CallCarrier], Awaitable[Sequence[RecordAnswer]]]]:
        """Stand where the stage connects to the carriers."""
        process = self._world.current

        async def call(command: CallCarrier) -> Sequence[RecordAnswer]:
            return [await process.ask(lambda: self.take(command), outlives=True)]

        yield call

    def take(self, command: CallCarrier) -> RecordAnswer:
        """Do what is asked, or do not, or do it without an answer."""
        trouble = self._world.choose(16) < self._world.schedule.habits.carrier_trouble and not self._world.is_calm
        if trouble and self._world.choose(2):
            return self._answer(command, Answer.UNKNOWN)
        answer = self._act(command)
        return self._answer(command, Answer.UNKNOWN) if trouble else answer

    @property
    def is_ready(self) -> bool:
        """Say whether it is time for a report."""
        return self._world.now_ms >= self._next_report_ms and self.has_news

    @property
    def has_news(self) -> bool:
        """Say whether a parcel is on its way."""
        return any(self._moves(parcel) for parcel in self.book.values())

    def step(self) -> None:
        """Move some parcel on and report it, now and then twice or with the first report late."""
        self._next_report_ms = self._world.now_ms + REPORT_MS
        moving = [(key, parcel) for key, parcel in self.book.items() if self._moves(parcel)]
        key, parcel = moving[self._world.choose(len(moving))]
        parcel.reported = next(step for step in STEPS if step > parcel.reported)
        reports = [self._report(key, parcel, parcel.reported)]
        if self._world.choose(6) == 1:
            reports.append(self._report(key, parcel, STEPS[0]))
        for report in reports:
            value = msgspec.json.encode(report)
            self._world.broker.append(Draft(topics.TRACKING_COMMANDS.name, key.encode(), value, ()))

    @staticmethod
    def _moves(parcel: flow.Parcel) -> bool:
        return not parcel.voided and parcel.reported < STEPS[-1]
