"""How the processes of a rig are started, and what is asked of them then."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

from pipeline.settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Process(Protocol):
    """A process that was started: as much of `subprocess.Popen` as a rig needs."""

    @property
    def pid(self) -> int:
        """Its id."""

    def poll(self) -> int | None:
        """Give the exit status, below 0 for a signal; None while it runs."""

    def wait(self) -> int:
        """Wait for the end, and give the exit status."""

    def send_signal(self, sig: int, /) -> None:
        """Signal it, if it still runs."""

    def kill(self) -> None:
        """Kill it, if it still runs."""


class Spawn(Protocol):
    """Starts processes."""

    def __call__(self, arguments: Sequence[str], environ: Mapping[str, str], log: Path, /) -> Process:
        """Start `python -m …` in a session of its own: Ctrl-C is for the rig to pass on. Its words go to the log."""


def spawn(arguments: Sequence[str], environ: Mapping[str, str], log: Path) -> Process:
    """Start a process in the ordinary way."""
    with log.open("ab") as out:
        return subprocess.Popen(  # noqa: S603 - the project's own commands
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
