"""The CPU time that each process of a deployment, and each embedded server, takes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from pipeline.services import processes

if TYPE_CHECKING:
    from loadtest.deployment import Deployment, Site


class CpuMeter:
    """Reads CPU times from a start on, for as long as it is asked to."""

    def __init__(self, place: Site) -> None:
        self._place = place
        self._watched: dict[str, psutil.Process] = {}
        self._begin: dict[str, float] = {}
        self._end: dict[str, float] = {}
        self._deciding = self._over = False

    def start(self, deployment: Deployment, *, from_birth: bool = True) -> None:
        """Watch the deployment's processes from their start, or from now on; the servers from now on."""
        for name, process in deployment.processes().items():
            self._watch(name, process.pid, 0.0 if from_birth else None)
        for name, server in processes(self._place.run_dir).items():
            self._watch(name, server.pid, None)

    def pids(self) -> dict[str, int]:
        """Give the processes that are watched, by name."""
        return {name: process.pid for name, process in self._watched.items()}

    def _watch(self, name: str, pid: int, begin: float | None) -> None:
        with suppress(psutil.NoSuchProcess):
            self._watched[name] = psutil.Process(pid)
            self._begin[name] = _cpu_seconds(self._watched[name]) if begin is None else begin

    def read(self, *, deciding: bool) -> None:
        """Read the times until the stages have begun and come to their first rest; what comes after is not counted."""
        self._over = self._over or (self._deciding and not deciding)
        self._deciding = deciding
        if self._over and self._end:
            return
        for name, process in self._watched.items():
            with suppress(psutil.NoSuchProcess):
                self._end[name] = _cpu_seconds(process)

    def seconds(self) -> dict[str, float]:
        """Give the CPU seconds by process."""
        return {name: end - self._begin[name] for name, end in self._end.items()}


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
