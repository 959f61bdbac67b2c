"""Starvation: a worker gets a small share of a CPU, by a control group's quota where root allows it.

Elsewhere the process is stopped and let go on again in turns.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psutil

from loadtest.chaos.fault import HOLD, Kind, Proof
from loadtest.chaos.worker_faults import WORKER, any_worker, child_of

if TYPE_CHECKING:
    from random import Random

    from loadtest.chaos.fault import Params
    from loadtest.chaos.rig import Rig

CGROUP = Path("/sys/fs/cgroup/cpu")
PERIOD_MICROSECONDS = 100_000
TURN_SECONDS = 0.1


class Brake(Protocol):
    """Holds a process back until it is released."""

    def release(self) -> Proof:
        """Let the process run freely, and say what held it back."""


class Quota:
    """A control group (version 1) of its own, with a bandwidth limit. OSError where it cannot be made."""

    def __init__(self, pid: int, share: float, period_microseconds: int) -> None:
        self._pid = pid
        self._share = share
        self._home = CGROUP / _group_of(pid).lstrip("/")
        self._group = CGROUP / f"holdfast-chaos-{os.getpid()}-{pid}"
        self._group.mkdir()
        try:
            (self._group / "cpu.cfs_period_us").write_text(str(period_microseconds))
            (self._group / "cpu.cfs_quota_us").write_text(str(round(period_microseconds * share)))
            (self._group / "cgroup.procs").write_text(str(pid))
        except OSError:
            self._group.rmdir()
            raise

    def release(self) -> Proof:
        """Move the process back, and read how often the group had used its quota up."""
        stat = dict(line.split() for line in (self._group / "cpu.stat").read_text().splitlines())
        for pid in (self._group / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                (self._home / "cgroup.procs").write_text(pid)
        with suppress(OSError):  # a process that ends this moment may still be in it: an empty directory is left
            self._group.rmdir()
        throttled, seconds = int(stat["nr_throttled"]), int(stat["throttled_time"]) / 1e9
        evidence = (
            f"pid {self._pid} had a quota of {self._share:.0%} of a CPU: throttled in {throttled} of "
            f"{stat['nr_periods']} periods, its threads waited {seconds:.1f} s"
        )
        return Proof(throttled > 0, evidence, {"throttled_periods": throttled, "throttled_seconds": round(seconds, 2)})


class Turns:
    """SIGSTOP and SIGCONT in turns."""

    def __init__(self, pid: int, share: float) -> None:
        self._pid = pid
        self._share = share
        self._stops = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._alternate, name=f"turns-{pid}", daemon=True)
        self._thread.start()

    def _alternate(self) -> None:
        with suppress(ProcessLookupError):
            while not self._over.is_set():
                os.kill(self._pid, signal.SIGSTOP)
                self._stops += 1
                self._over.wait(TURN_SECONDS * (1 - self._share))
                os.kill(self._pid, signal.SIGCONT)
                self._over.wait(TURN_SECONDS * self._share)

    def release(self) -> Proof:
        """Let it run, and count the stops."""
        self._over.set()
        self._thread.join()
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)
        evidence = f"pid {self._pid} was let run {self._share:.0%} of the time: stopped {self._stops} times"
        return Proof(self._stops > 0, evidence, {"stops": self._stops})


def brake(pid: int, share: float, period_microseconds: int = PERIOD_MICROSECONDS) -> Brake:
    """Hold a process back to a share of one CPU. Raises ProcessLookupError, psutil.NoSuchProcess."""
    try:
        return Quota(pid, share, period_microseconds)
    except OSError:
        return Turns(pid, share)


def _group_of(pid: int) -> str:
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if "cpu" in controllers.split(","):
            return group
    message = f"pid {pid} is in no cpu group"
    raise OSError(message)


class Starvation:
    """A worker gets a small share of a CPU."""

    def __init__(self, rig: Rig, params: Params) -> None:
        self._child = child_of(rig, params)
        self.target = self._child.name
        self._share = int(params["percent"]) / 100
        self._brake: Brake | None = None
        self._proof = Proof(hit=False, evidence="")

    def inject(self) -> None:
        """Hold it back."""
        if psutil.pid_exists(self._child.pid):
            self._brake = brake(self._child.pid, self._share)

    def heal(self) -> None:
        """Let it run freely."""
        if self._brake is not None:
            self._proof = self._brake.release()

    def proof(self) -> Proof:
        """Say what held it back."""
        return self._proof


def _draw(chance: Random) -> Params:
    return any_worker(chance) | {"percent": chance.choice((2, 4, 8)), HOLD: round(chance.uniform(1.5, 6.0), 2)}


KINDS = (Kind("cpu-starvation", Starvation, _draw, WORKER, 3, proof_seconds=0.0),)
