"""Faults of servers: the broker killed or restarted, Redis killed, Redis and ClickHouse stopped for a while."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

from loadtest.chaos.fault import HOLD, Kind, Proof
from loadtest.chaos.worker_faults import is_stopped
from pipeline.services import bring_up, processes
from pipeline.services.process import is_alive, kill, stop
from pipeline.services.roster import service

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from loadtest.chaos.fault import Params
    from loadtest.chaos.rig import Rig
    from pipeline.services.process import Running

KAFKA, REDIS, CLICKHOUSE = "kafka", "redis", "clickhouse"
BACK_SECONDS = 60.0


class Gone:
    """A server's process ends, and starts again on its data under its address."""

    def __init__(self, rig: Rig, _: Params, name: str, end: Callable[[Running], None]) -> None:
        self._rig = rig
        self.target = name
        self._end = end
        self._before: Running | None = None
        self._after: Running | None = None
        self._refused = False
        self._began = time.monotonic()
        self._exits = len(rig.exits())

    def inject(self) -> None:
        """End it, and see that it answers no more."""
        self._before = processes(self._rig.place.run_dir)[self.target]
        self._began = time.monotonic()
        self._end(self._before)
        self._refused = not is_alive(self._before) and not service(self.target).answers(self._before.address)

    def heal(self) -> None:
        """Start it again."""
        self._after = bring_up(self._rig.place.run_dir, (self.target,))[self.target]

    def proof(self) -> Proof:
        """Say whether it was away, and another process answers in its place."""
        before, after = self._before, self._after
        if before is None or after is None:
            return Proof(hit=False, evidence=f"{self.target} was not ended and started again")
        ended = len(self._rig.exits()) - self._exits
        hit = self._refused and after.pid != before.pid and after.address == before.address
        seconds = time.monotonic() - self._began
        evidence = (
            f"pid {before.pid} ended, connections refused: {self._refused}; pid {after.pid} answers at "
            f"{after.address} {seconds:.1f} s later; meanwhile {ended} processes of the rig ended"
        )
        return Proof(hit, evidence, {"away_seconds": round(seconds, 1), "processes_ended": ended})


class Stopped:
    """A server stands still: connections are taken, and nothing is answered."""

    def __init__(self, rig: Rig, params: Params, name: str) -> None:
        self._rig = rig
        self.target = name
        self._hold = float(params[HOLD])
        self._server: Running | None = None
        self._stopped = self._silent = False

    def inject(self) -> None:
        """Stop it, and ask it something."""
        self._server = processes(self._rig.place.run_dir)[self.target]
        os.killpg(self._server.pid, signal.SIGSTOP)
        self._stopped = is_stopped(self._server.pid)
        self._silent = not service(self.target).answers(self._server.address)

    def heal(self) -> None:
        """Let it go on."""
        if self._server is not None and is_alive(self._server):
            os.killpg(self._server.pid, signal.SIGCONT)

    def proof(self) -> Proof:
        """Say whether it gave no answer then, and gives one now."""
        back = self._server is not None and service(self.target).answers(self._server.address)
        evidence = f"stood still: {self._stopped}, without an answer: {self._silent}, for {self._hold:g} s and more"
        return Proof(self._stopped and self._silent and back, f"{evidence}; answers again: {back}")


def _draw_away(chance: Random, longest: float) -> Params:
    return {HOLD: round(chance.uniform(0.0, longest), 2)}


def _gone(name: str, end: Callable[[Running], None]) -> Callable[[Rig, Params], Gone]:
    return partial(Gone, name=name, end=end)


KINDS = (
    Kind("broker-kill", _gone(KAFKA, kill), partial(_draw_away, longest=2.0), KAFKA, 13, proof_seconds=BACK_SECONDS),
    Kind("broker-restart", _gone(KAFKA, stop), partial(_draw_away, longest=1.0), KAFKA, 1, proof_seconds=BACK_SECONDS),
    Kind("redis-kill", _gone(REDIS, kill), partial(_draw_away, longest=3.0), REDIS, 4),
    Kind("redis-slow", partial(Stopped, name=REDIS), partial(_draw_away, longest=4.0), REDIS, 3),
    Kind("clickhouse-slow", partial(Stopped, name=CLICKHOUSE), partial(_draw_away, longest=4.0), CLICKHOUSE, 4),
)
