"""Faults of single workers: killed, stopped for a moment, stopped for longer than their membership lasts."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import psutil

from loadtest.chaos.fault import HOLD, Kind, Proof
from pipeline.errors import SetupError
from pipeline.services.process import wait_until

if TYPE_CHECKING:
    from random import Random

    from loadtest.chaos.child import Child
    from loadtest.chaos.fault import Params
    from loadtest.chaos.readings import Reading
    from loadtest.chaos.rig import Rig
    from loadtest.chaos.spawning import Process

WORKER = "worker"
WORKERS = 3
"""Of a rig, in all profiles."""
RECOVERY_SECONDS = 60.0
STOPPED_SECONDS = 2.0
TAKEOVER_SECONDS = 20.0
FENCED_SECONDS = 25.0
"""How long a zombie that goes on may take to find out."""


def any_worker(chance: Random) -> Params:
    """Draw a worker."""
    return {WORKER: chance.randrange(WORKERS)}


def child_of(rig: Rig, params: Params) -> Child:
    """Give the worker that the runner took for a fault."""
    return rig.children[str(params[WORKER])]


class Recovery:
    """From the end of a worker's process to the first commit of the one in its place."""

    def __init__(self, rig: Rig, child: Child) -> None:
        self._rig = rig
        self._child = child
        self._began = time.monotonic()
        self.seconds: float | None = None

    def look(self, gone: int) -> bool:
        """Say whether another process than `gone` has committed in the worker's place."""
        if self.seconds is None and self._child.pid != gone:
            reading = self._rig.read(self._child)
            if reading is not None and reading.pid != gone and reading.commits:
                self.seconds = time.monotonic() - self._began
        return self.seconds is not None

    @property
    def counts(self) -> dict[str, int | float]:
        """Give the time in numbers."""
        return {} if self.seconds is None else {"first_commit_seconds": round(self.seconds, 2)}


class WorkerKill:
    """SIGKILL at any moment; the successor starts a while later."""

    def __init__(self, rig: Rig, params: Params) -> None:
        self._rig = rig
        self._child = child_of(rig, params)
        self.target = self._child.name
        self._before: Reading | None = None
        self._pid = 0
        self._recovery: Recovery

    def inject(self) -> None:
        """Kill it while it has partitions."""
        self._child.held = True
        self._before = self._rig.read(self._child)
        self._pid = self._child.kill()
        self._recovery = Recovery(self._rig, self._child)
        self._child.wait(STOPPED_SECONDS)

    def heal(self) -> None:
        """Let the rig start it again."""
        self._child.held = False

    def proof(self) -> Proof:
        """Say whether it died at work, and its successor commits."""
        ended = self._child.exit_of(self._pid)
        killed = ended is not None and ended.status == -signal.SIGKILL
        before = self._before
        owned, commits = (before.partitions, before.commits) if before else (0, 0)
        back = self._recovery.look(self._pid)
        evidence = f"pid {self._pid} died of SIGKILL: {killed}, with {owned} partitions, after {commits} commits"
        if back:
            evidence += f"; first commit in its place {self._recovery.seconds:.1f} s later"
        return Proof(killed and owned > 0 and back, evidence, self._recovery.counts)


class Pause:
    """SIGSTOP and SIGCONT within the session, as a long garbage collection would be."""

    def __init__(self, rig: Rig, params: Params) -> None:
        self._rig = rig
        self._child = child_of(rig, params)
        self.target = self._child.name
        self._hold = float(params[HOLD])
        self._before: Reading | None = None
        self._pid = 0
        self._stopped = False

    def inject(self) -> None:
        """Stop it, and see that it is stopped."""
        self._before = self._rig.read(self._child)
        self._pid = self._child.pid
        self._child.send(signal.SIGSTOP)
        self._stopped = is_stopped(self._pid)

    def heal(self) -> None:
        """Let it go on."""
        self._child.send(signal.SIGCONT)

    def proof(self) -> Proof:
        """Say whether it stood still, and commits again, or has ended."""
        reading, ended = self._rig.read(self._child), self._child.exit_of(self._pid)
        before = self._before.commits if self._before else 0
        after = reading.commits if reading and reading.pid == self._pid else 0
        evidence = f"stopped for {self._hold:g} s: {self._stopped}; commits {before} before, {after} after"
        if ended is not None:
            evidence += f"; ended with status {ended.status}"
        return Proof(self._stopped and (after > before or ended is not None), evidence)


class Zombie:
    """SIGSTOP until others have taken over, then SIGCONT: what it has in hand must not be committed.

    `replaced` 1: its successor, in the same slot, starts while it is stopped, and fences it by transactional id;
    0: the group expels it, and the other workers take its partitions.
    """

    def __init__(self, rig: Rig, params: Params) -> None:
        self._rig = rig
        self._child = child_of(rig, params)
        self.target = self._child.name
        self._replaced = bool(params["replaced"])
        self._pid = 0
        self._process: Process | None = None
        self._before: Reading | None = None
        self._taken_over = 0.0

    def inject(self) -> None:
        """Stop it, and wait until others have its partitions."""
        self._before = self._rig.read(self._child)
        if self._before is None:
            message = f"{self.target} does not answer before it is stopped"
            raise SetupError(message)
        self._pid = self._child.pid
        began = time.monotonic()
        self._child.held = True
        self._child.send(signal.SIGSTOP)
        if not is_stopped(self._pid):
            return
        if self._replaced:
            self._process = self._child.let_go()
            self._child.start()
        if wait_until(self._is_taken_over, TAKEOVER_SECONDS):
            self._taken_over = time.monotonic() - began

    def _is_taken_over(self) -> bool:
        if self._replaced:
            reading = self._rig.read(self._child)
            return reading is not None and reading.partitions > 0 and reading.commits > 0
        return self._rig.owned() >= self._rig.partitions  # a stopped one does not answer: these are the others'

    def heal(self) -> None:
        """Let it go on, and see what becomes of it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
        else:
            self._child.send(signal.SIGCONT)
        self._child.held = False

    def proof(self) -> Proof:
        """Say whether others took over, and it was fenced or expelled."""
        fate = self._fate()
        evidence = (
            f"pid {self._pid} stopped; {'its successor' if self._replaced else 'the others'} took over after "
            f"{self._taken_over:.1f} s; then it {fate or 'went on as if nothing had happened'}"
        )
        hit = self._taken_over > 0 and bool(fate)
        return Proof(hit, evidence, {"fenced": int(hit), "replaced": int(self._replaced)})

    def _fate(self) -> str:
        if self._process is not None:
            status = self._process.poll()
            return "" if status is None else f"ended with status {status}"
        ended = self._child.exit_of(self._pid)
        if ended is not None:
            return f"ended with status {ended.status}"
        reading = self._rig.read(self._child)
        before = self._before.rebalances if self._before else 0
        if reading and reading.rebalances > before:
            return f"joined the group again ({before} assignments before, {reading.rebalances} now)"
        return ""


def is_stopped(pid: int) -> bool:
    """Wait until a process that was sent SIGSTOP stands still. Says whether it does."""

    def stopped() -> bool:
        try:
            return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
        except psutil.NoSuchProcess:
            return False

    return wait_until(stopped, STOPPED_SECONDS)


def _draw_kill(chance: Random) -> Params:
    return any_worker(chance) | {HOLD: round(chance.choice((0.0, 0.0, 1.0, 4.0)) * chance.random(), 2)}


def _draw_pause(chance: Random) -> Params:
    return any_worker(chance) | {HOLD: round(chance.uniform(0.1, 1.0), 2)}


def _draw_zombie(chance: Random) -> Params:
    return any_worker(chance) | {"replaced": int(chance.random() < 1 / 3), HOLD: round(chance.random() * 1.5, 2)}


KINDS = (
    Kind("worker-kill", WorkerKill, _draw_kill, WORKER, 6, proof_seconds=RECOVERY_SECONDS),
    Kind("pause", Pause, _draw_pause, WORKER, 16),
    Kind("zombie", Zombie, _draw_zombie, WORKER, 11, needs_broker=True, proof_seconds=FENCED_SECONDS),
)
