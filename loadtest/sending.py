"""Run the generator as a process of its own, so that it shares no interpreter with what watches it."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from loadtest.send import SendLine
from pipeline.errors import SetupError
from pipeline.services.process import log_tail
from pipeline.settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

    from loadtest.deployment import Site
    from loadtest.lateness import SendReport

SEND_LOG = "send.log"
END_SECONDS = 120.0
LATE = 1
"""The exit status of a generator that was late, or lost records: its report says so."""


Generator: TypeAlias = "subprocess.Popen[bytes]"


class Sender:
    """The generator's process. `last` is the latest line that it printed."""

    def __init__(self, process: Generator, log: Path) -> None:
        self.last = SendLine(0, 0.0)
        self._process = process
        self._log = log
        self._reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, lines: IO[bytes]) -> None:
        for line in lines:
            self.last = msgspec.json.decode(line, type=SendLine)

    @property
    def pid(self) -> int:
        """Its process's id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it still sends."""
        return self._process.poll() is None

    def report(self) -> SendReport:
        """Wait for the end. Raises SetupError when there is no report."""
        status = self._process.wait(END_SECONDS)
        self._reader.join(END_SECONDS)
        if self.last.report is None or status not in {0, LATE}:
            message = f"the load generator ended with status {status}\n{log_tail(self._log)}"
            raise SetupError(message)
        return self.last.report

    def stop(self) -> None:
        """End it, if it still runs."""
        if self.running:
            self._process.terminate()
            self._process.wait()


def generator_process(place: Site, log: Path, *arguments: str, stdin: int = subprocess.DEVNULL) -> Generator:
    """Start `python -m ARGUMENTS` in a deployment's environment; it talks over its standard output, and logs.

    It has a session of its own: Ctrl-C is for the caller to pass on.
    """
    with log.open("ab") as errors:
        return subprocess.Popen(  # noqa: S603 - the project's own commands
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=dict(place.environ),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )


@contextmanager
def sending(place: Site, scenario: Path, *options: str) -> Iterator[Sender]:
    """Have a generator send a written scenario during a block of code."""
    log = place.run_dir / SEND_LOG
    sender = Sender(generator_process(place, log, "loadtest", "send", "--file", str(scenario), *options), log)
    try:
        yield sender
    finally:
        sender.stop()
