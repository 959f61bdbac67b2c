"""The faults of a profile, each at its time: a worker is killed, the carrier is out for a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from loadtest.carrier import control
from loadtest.killing import Killer
from loadtest.profiles.result import Struck
from loadtest.profiles.shape import FaultKind
from pipeline.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loadtest.deployment import Deployment
    from loadtest.profiles.shape import Fault

BROKEN, BEHAVING = {"error_share": 1.0}, {"error_share": 0.0}
CALLS_THAT_FAILED = ("fault broken", "fault discarded")


class Faults:
    """Carries faults out: from `begin` on, `look` is called again and again until `waiting` is false."""

    def __init__(self, faults: Sequence[Fault], deployment: Deployment, say: Callable[[str], None]) -> None:
        self._left = sorted(faults, key=lambda fault: fault.at_seconds)
        self._deployment = deployment
        self._say = say
        self._kills: list[tuple[float, Killer]] = []
        self._outages: list[Struck] = []
        self._began = time.monotonic()
        self._out_until = 0.0
        self._out_at = 0.0
        self._failed_before = 0

    def begin(self) -> None:
        """Let the time of the faults begin."""
        self._began = time.monotonic()

    @property
    def waiting(self) -> bool:
        """Whether a fault is to come, or one is not over."""
        return bool(self._left or self._out_until) or any(killer.waiting for _, killer in self._kills)

    @property
    def struck(self) -> list[Struck]:
        """Give what was done, by time."""
        kills = [
            Struck(kind=FaultKind.WORKER_KILL, at_seconds=at, told=_told(killer), kill=killer.kill)
            for at, killer in self._kills
        ]
        return sorted([*kills, *self._outages], key=lambda one: one.at_seconds)

    def look(self) -> None:
        """Do what is due by now."""
        at_seconds = time.monotonic() - self._began
        while self._left and self._left[0].at_seconds <= at_seconds:
            fault = self._left.pop(0)
            if fault.kind is FaultKind.WORKER_KILL:
                self._kill(at_seconds)
            else:
                self._break_carrier(at_seconds, fault.seconds)
        for _, killer in self._kills:
            if (back := killer.look()) is not None:
                self._say(f"{back.worker} is back: first commit {back.back_after_seconds:.1f} s after the kill")
        if self._out_until and at_seconds >= self._out_until:
            self._heal_carrier(at_seconds)

    def _kill(self, at_seconds: float) -> None:
        killer = Killer(self._deployment)
        killed = killer.strike()
        if killed is None:
            message = f"worker-kill at {at_seconds:.1f} s: there was no worker to kill"
            raise SetupError(message)
        self._kills.append((at_seconds, killer))
        self._say(f"killed {killed.worker}, pid {killed.pid}, with SIGKILL")

    def _break_carrier(self, at_seconds: float, seconds: float) -> None:
        self._failed_before = self._count(BROKEN)
        self._out_at, self._out_until = at_seconds, at_seconds + seconds
        self._say(f"the carrier is out for {seconds:g} s")

    def _heal_carrier(self, at_seconds: float) -> None:
        failed = self._count(BEHAVING) - self._failed_before
        self._out_until = 0.0
        told = f"out for {at_seconds - self._out_at:.1f} s: {failed} calls failed"
        self._outages.append(Struck(kind=FaultKind.CARRIER_OUTAGE, at_seconds=self._out_at, told=told))
        self._say(f"the carrier is back, {told}")

    def _count(self, change: dict[str, float]) -> int:
        """Change what the carrier does; gives the calls that have failed so far."""
        counters = control(self._deployment.sandbox_url(), change)
        return sum(counters.get(name, 0) for name in CALLS_THAT_FAILED)


def _told(killer: Killer) -> str:
    back = killer.kill.back_after_seconds if killer.kill else None
    return "its successor never committed" if back is None else f"first commit of its successor {back:.1f} s later"
