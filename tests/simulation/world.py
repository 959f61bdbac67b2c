"""The world of one run: a clock, a queue of what is to happen, and a scheduler that takes one step after the other.

Nothing here depends on the machine: the same schedule gives the same run, step by step.
"""

from __future__ import annotations

import heapq
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from agents import stages
from pipeline import topics
from pipeline.engine.stage import CallingStage, DecidingStage
from pipeline.engine.tables import CHECKPOINT_KEY, checkpoint
from pipeline.settings import Settings
from tests.simulation.broker import Broker, Draft
from tests.simulation.carrier import Carrier
from tests.simulation.group import Group
from tests.simulation.judge import Judge
from tests.simulation.process import Process
from tests.simulation.storm import Storm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.engine.stage import Stage
    from tests.simulation.loop import Cells
    from tests.simulation.schedule import Schedule

SESSION_MS, REBALANCE_MS, TRANSACTION_MS = 3_000, 10_000, 10_000
TICK_MS = 500
STEPS_MAX = 60_000
CALM_MS_MAX = 400_000
"""So long, by the run's own clock, a deployment may take to settle when nothing goes wrong any more."""
LATENCY = (0, 0, 1, 1, 2, 4, 8, 16)
"""In 16ths of a run's largest latency."""
LIVES_MAX = 60


@cache
def all_stages() -> Sequence[Stage]:
    """Give the stages of the product."""
    return stages(Settings())


class World:
    """A deployment on a simulated broker, with a carrier, and faults."""

    def __init__(self, schedule: Schedule, cells: Cells) -> None:
        self.schedule = schedule
        self.cells = cells
        self.now_ms = 1_000
        self.steps = 0
        self.current: Process
        self.stages: list[Stage] = []
        self.violations: list[str] = []
        self.notes: list[str] = []
        """What happened, for a person to read."""
        self.sends_early = schedule.habits.sends_early
        self.clears_queues = schedule.habits.clears_queues
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._queued = 0
        self._taken = 0
        self._fed = 0
        self._next_feed_ms = 0
        self._calm_since_ms: int | None = None
        self.lives = 0
        self.storm = Storm(self)
        self.judge = Judge(self)
        names = tuple(stage.reads.name for stage in all_stages())
        group = Group(names, schedule.sizes.partitions, schedule.habits.restless)
        self.broker = Broker(group, lambda: self.now_ms, self._later_marker, self.judge.decided)
        self.carrier = Carrier(self)
        self._provision()
        self.processes = [Process(self, slot) for slot in range(schedule.sizes.workers)]
        self.ghosts: list[Process] = []
        """Processes whose slot was given to another one while they were stopped."""
        self._actors: list[Callable[[], bool]] = []

    def _provision(self) -> None:
        """Do what `python -m pipeline topics` does."""
        for stage in all_stages():
            for number in range(self.schedule.sizes.partitions):
                self.broker.group.offsets[stage.reads.name, number] = 0
                if isinstance(stage, DecidingStage) and stage.tables:
                    log = topics.changelog(stage.name).name
                    self.broker.append(Draft(log, CHECKPOINT_KEY, checkpoint(0), (), number))
            own = replace(stage, connect=self.carrier.connect) if isinstance(stage, CallingStage) else stage
            self.stages.append(own)

    def note(self, text: str) -> None:
        """Remember what happened."""
        self.notes.append(f"{self.now_ms:7d} ms {text}")

    # --- choices and time ---

    def choose(self, ways: int) -> int:
        """Take the next decision of the schedule: below `ways`, and 0 when there are no more."""
        if self._taken >= len(self.schedule.decisions):
            return 0
        self._taken += 1
        return self.schedule.decisions[self._taken - 1] % ways

    def latency(self) -> int:
        """Give how long a message takes."""
        return 1 + self.schedule.habits.latency_ms * LATENCY[self.choose(8)] // 16

    def at(self, when_ms: int, happen: Callable[[], None]) -> None:
        """Let something happen at a time."""
        self._queued += 1
        heapq.heappush(self._queue, (when_ms, self._queued, happen))

    def later(self, happen: Callable[[], None]) -> None:
        """Let something happen after a message's time."""
        self.at(self.now_ms + self.latency(), happen)

    def _later_marker(self, happen: Callable[[], None]) -> None:
        self.at(self.now_ms + 1 + self.schedule.habits.marker_ms * LATENCY[self.choose(8)] // 16, happen)

    # --- the run ---

    def run(self) -> list[str]:
        """Run to the end, and give what is wrong; nothing, if all holds."""
        self._tick()
        self._actors = [self._feed, self._step_carrier]
        for slot in range(len(self.processes)):
            self._actors += [partial(self._step_loop, slot), partial(self._step_job, slot)]
        self._actors.append(self._step_ghost)
        while not self.violations:
            self.steps += 1
            self.storm.strike_between(self.steps)
            self.happen()
            if not self._act():
                if self._is_over():
                    break
                self.now_ms = max(self.now_ms + 1, self._queue[0][0])
            if self.steps > STEPS_MAX:
                self.violations.append(f"it does not settle within {STEPS_MAX} steps")
        if not self.violations:
            self.violations += self.judge.at_the_end()
        for process in (*self.processes, *self.ghosts):
            process.loop.end()
        return self.violations

    def _act(self) -> bool:
        """Let one of those act who can: by decision, or, without one, who waited longest."""
        skipped = self.choose(len(self._actors))
        actors = self._actors
        for place in (*range(skipped, len(actors)), *range(skipped)):
            if actors[place]():
                actors.append(actors.pop(place))
                return True
        return False

    def happen(self) -> None:
        """Let happen what is due: messages arrive in the order that their latencies give them."""
        queue = self._queue
        while queue and queue[0][0] <= self.now_ms:
            heapq.heappop(queue)[2]()

    def _feed(self) -> bool:
        if self._fed >= len(self.schedule.inputs) or self.now_ms < self._next_feed_ms:
            return False
        record = self.schedule.inputs[self._fed]
        self.broker.append(Draft(record.topic, record.key, record.value, ()))
        self._fed += 1
        self._next_feed_ms = self.now_ms + self.schedule.habits.feed_ms * self.choose(4)
        return True

    def _step_carrier(self) -> bool:
        if not self.carrier.is_ready:
            return False
        self.carrier.step()
        return True

    def _step_loop(self, slot: int) -> bool:
        if not self.processes[slot].loop_is_ready:
            return False
        self.processes[slot].step_loop()
        return True

    def _step_job(self, slot: int) -> bool:
        if not self.processes[slot].job_is_ready:
            return False
        self.processes[slot].step_job()
        return True

    def _step_ghost(self) -> bool:
        for ghost in self.ghosts:
            if ghost.loop_is_ready:
                ghost.step_loop()
                return True
            if ghost.job_is_ready:
                ghost.step_job()
                return True
        return False

    def _tick(self) -> None:
        """Do what the broker does from time to time: time out sessions, rebalances and transactions."""
        group = self.broker.group
        for name, member in list(group.members.items()):
            if member.tell is None and self.now_ms - member.last_seen_ms > SESSION_MS:
                group.leave(name, self.now_ms)
        group.drop_laggards(self.now_ms, REBALANCE_MS)
        self.broker.abort_older(TRANSACTION_MS)
        self.at(self.now_ms + TICK_MS, self._tick)

    @property
    def is_calm(self) -> bool:
        """Say whether nothing goes wrong any more."""
        return self._calm_since_ms is not None

    def _is_over(self) -> bool:
        """Say whether all is done and at rest."""
        if self._fed < len(self.schedule.inputs) or not self.storm.is_over:
            return False
        if self._calm_since_ms is None:
            self._calm_since_ms = self.now_ms
        if self.now_ms - self._calm_since_ms > CALM_MS_MAX:
            self.violations.append("it does not settle: " + self.judge.unsettled())
        return self.broker.is_at_rest and not self.carrier.has_news and not self.judge.unsettled()

    # --- processes ---

    def process_ended(self, process: Process, *, refused: bool) -> None:
        """Start the slot's next process after a while; unless starting again cannot help, by its own account."""
        self.lives += 1
        error = process.error
        self.note(f"slot {process.slot} ends{f': {error}' if error else ''}")
        if refused or (error is not None and not self.judge.is_expected(error)):
            self.violations.append(f"the worker of slot {process.slot} stopped: {error!r}")
            return
        if process in self.ghosts:
            return
        if self.lives > LIVES_MAX:
            self.violations.append(f"{LIVES_MAX} processes ended, the last one of {error!r}")
        delay_ms = self.schedule.habits.restart_ms * self.choose(4) // 3
        self.at(self.now_ms + 1 + delay_ms, lambda: self.start(process.slot))

    def start(self, slot: int) -> None:
        """Start a slot's process."""
        self.note(f"slot {slot} starts")
        self.processes[slot] = Process(self, slot)
