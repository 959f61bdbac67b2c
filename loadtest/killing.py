"""Kill a worker as a power cut would, and see its successor come back."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from loadtest.scraping import scrape

if TYPE_CHECKING:
    from loadtest.deployment import Deployment

VICTIM = "worker-0"


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """A kill: whom, and how long until the process in its place had committed its first transaction (null: never)."""

    worker: str
    pid: int
    successor_pid: int | None = None
    back_after_seconds: float | None = None


class Killer:
    """Kills one worker once, and watches for its successor."""

    def __init__(self, deployment: Deployment, worker: str = VICTIM) -> None:
        self.kill: Kill | None = None
        self._deployment = deployment
        self._worker = worker
        self._at = 0.0

    def strike(self) -> Kill | None:
        """Kill the worker with SIGKILL; nothing if it does not run at this moment."""
        process = self._deployment.processes().get(self._worker)
        if process is None:
            return None
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
            self._at = time.monotonic()
            self.kill = Kill(worker=self._worker, pid=process.pid)
        return self.kill

    @property
    def waiting(self) -> bool:
        """Whether a worker was killed whose successor has not committed yet."""
        return self.kill is not None and self.kill.back_after_seconds is None

    def look(self) -> Kill | None:
        """Look for the successor's first commit; gives the kill when it is seen for the first time."""
        if self.kill is None or not self.waiting:
            return None
        process = self._deployment.processes().get(self._worker)
        if process is None or process.pid == self.kill.pid or not scrape([process]).commits.get(process.pid):
            return None
        back_after = time.monotonic() - self._at
        self.kill = Kill(
            worker=self._worker, pid=self.kill.pid, successor_pid=process.pid, back_after_seconds=back_after
        )
        return self.kill
