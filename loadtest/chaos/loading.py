"""The rig's side of the load generator: its process, what it says, and the commands that it is given."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

import msgspec

from loadtest.chaos.load_words import Command, Done, Finish, Standing, Word
from loadtest.sending import generator_process
from pipeline.errors import SetupError
from pipeline.services.process import log_tail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loadtest.deployment import Site

ACKS_FILE = "acks.msgpack"
LOG_FILE = "load.log"
ANSWER_SECONDS = 60.0
END_SECONDS = 360.0


class Loader:
    """The generator's process. `last` is how far it has said to be."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.last = Standing(sent=0, acknowledged=0, failed=0, left=1, late_seconds=0.0)
        self._process = process
        self._log = log
        self._done: dict[int, Done] = {}
        self._given: Counter[str] = Counter()
        self._came = threading.Condition()
        self._talking = threading.Lock()
        self._reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, lines: IO[bytes]) -> None:
        for line in lines:
            word = msgspec.json.decode(line, type=Word)
            with self._came:
                if isinstance(word, Done):
                    self._done[word.number] = word
                else:
                    self.last = word
                self._came.notify_all()

    def tell(self, command: Command) -> None:
        """Give it a command. Raises SetupError when it has ended."""
        stdin = self._process.stdin
        with self._talking:
            if stdin is None or self._process.poll() is not None:
                message = f"the load generator has ended\n{log_tail(self._log)}"
                raise SetupError(message)
            stdin.write(msgspec.json.encode(command) + b"\n")
            stdin.flush()

    def number(self) -> int:
        """Give the number of a new command."""
        return self.next("command")

    def next(self, what: str) -> int:
        """Count something on, from 0."""
        with self._talking:
            self._given[what] += 1
            return self._given[what] - 1

    def answer(self, number: int) -> Done:
        """Wait until a command is carried out. Raises SetupError when that takes too long."""
        with self._came:
            if not self._came.wait_for(lambda: number in self._done, ANSWER_SECONDS):
                message = f"the load generator did not carry out command {number} within {ANSWER_SECONDS:g} s"
                raise SetupError(message)
            return self._done[number]

    def finish(self) -> None:
        """Let it send what is left fast, and end."""
        self.tell(Finish())

    @property
    def running(self) -> bool:
        """Whether it still sends, or waits for acknowledgements."""
        return self._process.poll() is None

    def result(self) -> Standing:
        """Wait for the end. Raises SetupError where there is no result."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        self._reader.join(1.0)
        if not self.last.ended:
            message = f"the load generator gave no result (status {self._process.poll()})\n{log_tail(self._log)}"
            raise SetupError(message)
        return self.last

    def stop(self) -> None:
        """End it, if it still runs."""
        if self.running:
            self._process.kill()
            self._process.wait()


@contextmanager
def loading(place: Site, plan: Path) -> Iterator[Loader]:
    """Have a generator send a written load during a block of code."""
    log, acks = place.run_dir / LOG_FILE, place.run_dir / ACKS_FILE
    command = ("loadtest.chaos.load", "--file", str(plan), "--acks", str(acks))
    loader = Loader(generator_process(place, log, *command, stdin=subprocess.PIPE), log)
    try:
        yield loader
    finally:
        loader.stop()
