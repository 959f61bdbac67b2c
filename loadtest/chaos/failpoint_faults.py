"""Faults at named places of a worker: it dies there, or stands still there until others have waited for it."""

from __future__ import annotations

import signal
import time
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from loadtest.chaos.failpoints import NAMES, RECORD_FILE, VARIABLE
from loadtest.chaos.fault import HOLD, Kind, Proof
from loadtest.chaos.worker_faults import (
    RECOVERY_SECONDS,
    STOPPED_SECONDS,
    WORKER,
    Recovery,
    any_worker,
    child_of,
    is_stopped,
)
from pipeline.services.process import wait_until

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from loadtest.chaos.fault import Params
    from loadtest.chaos.rig import Rig

HIT = "hit"
SPRUNG_SECONDS = 30.0
"""How long a worker may take to come to its place: it starts, joins and restores first."""
HITS_MAX = {"produce": 60, "begin": 5, "offsets": 5, "commit": 5, "restore": 1}
"""The highest number drawn of the hit at which it happens. A restart restores once, if no rebalance comes."""
IN_COMMIT = "commit.before"
NOTICED_SECONDS = 6.0
"""How long the group may take to expel a worker that stands still; the transaction lasts longer (10 s)."""
STANDS_SECONDS = 7.0
"""How long it stands still at most for the others to take over: those that wait for its commit do not before."""


class _Sprung(msgspec.Struct):
    failpoint: str
    pid: int


def fired(run_dir: Path, name: str, pid: int) -> bool:
    """Say whether a process has noted that it came to a failpoint; a line that is cut is none."""
    path = run_dir / RECORD_FILE
    if not path.exists():
        return False
    lines = path.read_bytes().rpartition(b"\n")[0].splitlines()
    sprung = [msgspec.json.decode(line, type=_Sprung) for line in lines]
    return any((one.failpoint, one.pid) == (name, pid) for one in sprung)


class FailpointFault:
    """A worker is killed, and started again with a trap; `action` says what the trap does to it."""

    action = "kill"

    def __init__(self, rig: Rig, params: Params, name: str) -> None:
        self._rig = rig
        self._child = child_of(rig, params)
        self.target = self._child.name
        self._name = name
        self._hit = int(params[HIT])
        self._pid = 0
        self._is_sprung = False
        self._recovery: Recovery | None = None

    def inject(self) -> None:
        """Start it with the trap, and wait until it has sprung."""
        self._child.held = True
        self._child.kill()
        self._child.wait(STOPPED_SECONDS)
        self._pid = self._child.start({VARIABLE: f"{self._name}:{self._hit}:{self.action}"})
        self._is_sprung = wait_until(lambda: self._wrote() or not self._child.running, SPRUNG_SECONDS) and self._wrote()
        self._after_trap()

    def _after_trap(self) -> None:
        """See it die; where the trap did not spring, the worker is killed, since the next start is without."""
        self._child.wait(STOPPED_SECONDS)
        self._child.kill()
        self._recovery = Recovery(self._rig, self._child)

    def _wrote(self) -> bool:
        return fired(self._rig.place.run_dir, self._name, self._pid)

    def heal(self) -> None:
        """Let the rig start it again, without the trap."""
        self._child.held = False

    def proof(self) -> Proof:
        """Say whether it died there, and its successor commits."""
        ended = self._child.exit_of(self._pid)
        killed = ended is not None and ended.status == -signal.SIGKILL
        back = self._recovery is not None and self._recovery.look(self._pid)
        evidence = (
            f"pid {self._pid} came to {self._name} for time {self._hit}: {self._is_sprung}; died of SIGKILL: {killed}"
        )
        counts = self._recovery.counts if self._recovery else {}
        return Proof(self._is_sprung and killed and back, evidence, counts)


class ZombieInCommit(FailpointFault):
    """A worker stands still between offsets and commit, is expelled, and then commits after all.

    Whoever has got its partitions must wait for that commit, and go on behind it.
    """

    action = "stop"

    def __init__(self, rig: Rig, params: Params) -> None:
        super().__init__(rig, params, IN_COMMIT)
        self._others: dict[str, int] = {}
        self._noticed_seconds = 0.0
        self._went_on = False

    def _after_trap(self) -> None:
        """Wait until the group has gone on without it. It is sent on by `heal`.

        Where the trap did not spring in time the worker is killed: it would stand still later, and nobody would know.
        """
        if not (self._is_sprung and is_stopped(self._pid)):
            self._child.kill()
            return
        began = time.monotonic()
        self._others = self._rebalances()
        if wait_until(self._is_expelled, NOTICED_SECONDS):
            self._noticed_seconds = time.monotonic() - began
            wait_until(self._is_taken_over, STANDS_SECONDS - self._noticed_seconds)

    def _rebalances(self) -> dict[str, int]:
        readings = {child.name: self._rig.read(child) for child in self._rig.workers if child is not self._child}
        return {name: reading.rebalances for name, reading in readings.items() if reading is not None}

    def _is_expelled(self) -> bool:
        return any(number > self._others.get(name, number) for name, number in self._rebalances().items())

    def _is_taken_over(self) -> bool:
        return self._rig.owned() >= self._rig.partitions  # a stopped one does not answer: these are the others'

    def heal(self) -> None:
        """Let it go on: its commit is on its way at once."""
        self._child.send(signal.SIGCONT)
        self._child.held = False
        self._went_on = True

    def proof(self) -> Proof:
        """Say whether it stood still there until the group had gone on."""
        evidence = (
            f"pid {self._pid} stood still at {self._name}: {self._is_sprung}; the group went on without it after "
            f"{self._noticed_seconds:.1f} s, then it went on"
        )
        return Proof(self._went_on and self._noticed_seconds > 0, evidence)


def _draw(chance: Random, name: str) -> Params:
    return any_worker(chance) | {HIT: chance.randint(1, HITS_MAX[name.partition(".")[0]])}


def _draw_in_commit(chance: Random) -> Params:
    return any_worker(chance) | {HIT: chance.randint(1, 5), HOLD: round(chance.uniform(0.3, 1.0), 2)}


def _kind(name: str) -> Kind:
    return Kind(
        f"failpoint:{name}",
        lambda rig, params: FailpointFault(rig, params, name),
        partial(_draw, name=name),
        WORKER,
        0.3,
        needs_broker=True,
        proof_seconds=RECOVERY_SECONDS,
    )


KINDS = (
    *(_kind(name) for name in NAMES),
    Kind("zombie-in-commit", ZombieInCommit, _draw_in_commit, WORKER, 3, needs_broker=True),
)
