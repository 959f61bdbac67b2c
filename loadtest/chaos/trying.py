"""How the runs of a table of mutants are made: each by a command of its own, or in series over servers that stay up."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Protocol

import msgspec

from pipeline.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

RUN_SECONDS_MAX = 900.0
"""A run that takes longer hangs; it is ended, and leaves no outcome."""
STOP_SECONDS = 180.0


class Runs(Protocol):
    """Makes runs; several threads may ask at the same time."""

    def make(self, log: Path, options: list[str]) -> None:
        """Make a run with options of `python -m loadtest chaos`. What it says goes to the log."""

    def end(self) -> None:
        """End what is under way."""


class Alone:
    """Each run is a command of its own, on servers of its own."""

    def __init__(self) -> None:
        self._commands: set[subprocess.Popen[bytes]] = set()

    def make(self, log: Path, options: list[str]) -> None:
        """Run the command to its end."""
        with log.open("wb") as told:
            command = subprocess.Popen(  # noqa: S603  this project's own command
                [sys.executable, "-m", "loadtest", "chaos", *options],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                start_new_session=True,
            )
        self._commands.add(command)
        try:
            command.wait(RUN_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            _end(command)
        finally:
            self._commands.discard(command)

    def end(self) -> None:
        """End the commands that run."""
        for command in list(self._commands):
            _end(command)


class InSeries:
    """So many series at once, each with servers of its own, which all of its runs share."""

    def __init__(self, jobs: int) -> None:
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes] | None] = queue.SimpleQueue()
        self._all: set[subprocess.Popen[bytes]] = set()
        for _ in range(jobs):
            self._idle.put(None)

    def make(self, log: Path, options: list[str]) -> None:
        """Have the next series that is idle make the run; one that hangs or has died is replaced."""
        series = self._idle.get() or self._start()
        watch = threading.Timer(RUN_SECONDS_MAX, _end, (series,))
        watch.start()
        try:
            if series.stdin is not None and series.stdout is not None:
                series.stdin.write(msgspec.json.encode([str(log), *options]) + b"\n")
                series.stdin.flush()
                series.stdout.readline()
        except BrokenPipeError:
            _end(series)
        finally:
            watch.cancel()
            self._idle.put(series if series.poll() is None else None)

    def _start(self) -> subprocess.Popen[bytes]:
        series = subprocess.Popen(
            [sys.executable, "-m", "loadtest.chaos.series"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._all.add(series)
        return series

    def end(self) -> None:
        """End the series, and with them their servers."""
        for series in self._all:
            _end(series)


def _end(command: subprocess.Popen[bytes]) -> None:
    """Let a command stop what it started; what does not end in time is killed with all of its session."""
    command.terminate()
    try:
        command.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(command.pid, signal.SIGKILL)
        command.wait()
