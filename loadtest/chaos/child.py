"""One process of a rig: started, paused, killed, started again; every exit is noted with what it was."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import msgspec

from loadtest.chaos.spawning import spawn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from loadtest.chaos.spawning import Process, Spawn

POLL_SECONDS = 0.05


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a process. `status` below 0: the signal that ended it."""

    at_ms: int
    process: str
    pid: int
    status: int
    lived_seconds: float


class Child:
    """A process that is to run all the time. `start` and whoever watches it may be different threads."""

    def __init__(self, name: str, arguments: Sequence[str], environ: Mapping[str, str], run_dir: Path) -> None:
        self.name = name
        self.log = run_dir / "logs" / f"{name}.log"
        self.held = False
        """Whether somebody else starts it again, and not the rig."""
        self.exits: list[Exit] = []
        self.changed: dict[str, str] = {}
        """Variables that every start from now on has beside its own: changed settings."""
        self.spawn: Spawn = spawn
        """How it is started."""
        self._arguments = arguments
        self._environ = environ
        self._process: Process | None = None
        self._began = 0.0
        self._let_go: list[Process] = []
        self._is_over = False
        self._lock = threading.RLock()

    @property
    def pid(self) -> int:
        """The process id of the latest start, 0 before the first."""
        return self._process.pid if self._process else 0

    def start(self, extra: Mapping[str, str] | None = None) -> int:
        """Start the process, unless it runs or has had its end; `extra` variables are for this start. Gives the pid."""
        with self._lock:
            if self._is_over or self.running:
                return self.pid
            self.log.parent.mkdir(parents=True, exist_ok=True)
            environ = {**self._environ, **self.changed, **(extra or {})}
            self._process = self.spawn(self._arguments, environ, self.log)
            self._began = time.monotonic()
            return self._process.pid

    def let_go(self) -> Process | None:
        """Give the process away: the next start is that of a successor beside it."""
        with self._lock:
            process, self._process = self._process, None
            if process is not None:
                self._let_go.append(process)
            return process

    @property
    def running(self) -> bool:
        """Whether the process runs; its end is noted when it is seen for the first time."""
        with self._lock:
            if self._process is None:
                return False
            status = self._process.poll()
            if status is None:
                return True
            if not self.exits or self.exits[-1].pid != self._process.pid:
                lived = time.monotonic() - self._began
                self.exits.append(
                    Exit(
                        at_ms=time.time_ns() // 1_000_000,
                        process=self.name,
                        pid=self._process.pid,
                        status=status,
                        lived_seconds=lived,
                    )
                )
            return False

    def exit_of(self, pid: int) -> Exit | None:
        """Give the end of the process with this id, if it has ended."""
        _ = self.running
        return next((one for one in reversed(self.exits) if one.pid == pid), None)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process; nothing if it has ended."""
        with self._lock:
            if self._process is not None and self.running:
                self._process.send_signal(number)

    def kill(self) -> int:
        """Kill it as a power cut would, and give the pid."""
        self.send(signal.SIGKILL)
        return self.pid

    def end(self) -> None:
        """Kill it, and all that was let go, and let nobody start it again."""
        with self._lock:
            self._is_over = True
            for process in self._let_go:
                process.kill()
                process.wait()
        self.kill()

    def wait(self, within_seconds: float) -> bool:
        """Wait for the end. Says whether it came in time."""
        deadline = time.monotonic() + within_seconds
        while self.running:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def stop(self, within_seconds: float) -> bool:
        """Ask it to drain; kill it when that takes too long. Says whether it ended well by itself."""
        self.send(signal.SIGTERM)
        return self.has_drained(within_seconds)

    def has_drained(self, within_seconds: float) -> bool:
        """Wait for the end of a process that was asked to drain, as `stop` does.

        It is not asked again: a second SIGTERM that comes when the process is almost done would be the end of it.
        """
        if not self.wait(within_seconds):
            self.kill()
            self.wait(within_seconds)
            return False
        ended = self.exit_of(self.pid)
        return ended is None or ended.status == 0
