"""The faults of a run: where they strike, and what they do."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tests.simulation.broker import ProtocolError
from tests.simulation.faults import Act

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.process import Process
    from tests.simulation.world import World

PAUSES_MS = (4_000, 200, 8_000, 1_000)
LATE_MS = (1, 5, 20, 60, 200, 1_000, 4_000, 12_000)
GHOST_MS = 15_000
PATIENCE_MS = 2_000
"""So long a late request waits for its worst moment."""
REBALANCES = (1, 1, 1, 2, 2, 3, 5)
REBALANCES_APART_MS = (40, 400, 1_500)


class Storm:
    """The faults of a world. Those at effects are found by slot, effect and its number, the others by step."""

    def __init__(self, world: World) -> None:
        self.hits: list[Act] = []
        self._world = world
        self.effects: dict[tuple[int, str], int] = {}
        faults = world.schedule.faults
        self._at_effects = {(fault.slot, fault.effect, fault.at): fault.act for fault in faults if fault.effect}
        self._at_steps = sorted((fault for fault in faults if not fault.effect), key=lambda fault: -fault.at)
        self._between: dict[Act, Callable[[Process], None]] = {
            Act.KILL: lambda process: process.end(None),
            Act.STOP: self.pause,
            Act.CUT: self._cut,
            Act.EXPEL: lambda process: world.broker.group.leave_instance(process.instance, world.now_ms),
            Act.REBALANCE: self._rebalance,
            Act.COMPACT: self._compact,
            Act.REPLACE: self._replace,
            Act.LEAVE: lambda process: process.leave(),
        }

    @property
    def is_over(self) -> bool:
        """Say whether no fault between two steps is left."""
        return not self._at_steps

    def strike(self, process: Process, effect: str) -> Act | None:
        """Count an effect, and give the fault that strikes there."""
        place = (process.slot, effect)
        self.effects[place] = self.effects.get(place, 0) + 1
        act = self._at_effects.get((*place, self.effects[place]))
        if act is not None:
            self._hit(act, f"{effect} of slot {process.slot}")
        return act

    def strike_between(self, step: int) -> None:
        """Do what is due before a step."""
        while self._at_steps and self._at_steps[-1].at <= step:
            fault = self._at_steps.pop()
            process = self._world.processes[fault.slot]
            if not process.is_ended:
                self._hit(fault.act, f"slot {fault.slot}")
                self._between[fault.act](process)

    def pause(self, process: Process) -> None:
        """Stop a process for a while."""
        process.paused_until_ms = self._while()
        self._world.at(process.paused_until_ms, lambda: None)

    def arrive_late(self, request: Callable[[], object], is_awaited: Callable[[], bool] | None = None) -> None:
        """Let a request arrive when nobody waits for its answer any more: after a while, or at the worst moment.

        The worst moment is when `is_awaited` holds; it is not waited for longer than a while.
        """
        world = self._world
        late_ms = LATE_MS[world.choose(len(LATE_MS))]
        latest_ms = world.now_ms + (PATIENCE_MS if is_awaited and world.choose(4) else late_ms)

        def arrive() -> None:
            if world.now_ms < latest_ms and not (is_awaited and is_awaited()):
                world.at(world.now_ms + 1, arrive)
                return
            with suppress(ProtocolError):
                request()

        world.at(world.now_ms + (1 if is_awaited else late_ms), arrive)

    def _hit(self, act: Act, where: str) -> None:
        self.hits.append(act)
        self._world.note(f"fault: {act}, {where}")

    def _while(self) -> int:
        return self._world.now_ms + PAUSES_MS[self._world.choose(len(PAUSES_MS))]

    def _replace(self, process: Process) -> None:
        """Stop a process and give its slot to another one, as an orchestrator does that takes it for dead.

        In the end it kills it: two processes of a slot take its membership from each other as long as neither commits.
        """
        self.pause(process)
        self._world.ghosts.append(process)
        self._world.at(self._world.now_ms + GHOST_MS, lambda: process.end(None))
        self._world.start(process.slot)

    def _cut(self, process: Process) -> None:
        process.cut_until_ms = self._while()

    def _rebalance(self, _process: Process) -> None:
        world, group = self._world, self._world.broker.group
        apart_ms = REBALANCES_APART_MS[world.choose(len(REBALANCES_APART_MS))]
        for number in range(REBALANCES[world.choose(len(REBALANCES))]):
            world.at(world.now_ms + apart_ms * number, lambda: group.rebalance(world.now_ms))

    def _compact(self, _process: Process) -> None:
        for (topic, _), log in self._world.broker.logs.items():
            if topic.endswith(".changelog"):
                log.compact()
