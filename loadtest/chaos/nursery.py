"""A nursery: one process that has imported the product, and gives birth to the processes of a rig by forking.

A process that is started in the ordinary way imports for more than a second of CPU. A mutant's trial starts a dozen,
and a table of mutants has hundreds of trials. What is born here runs the same `main` with an environment, a session and
a log of its own; only the imports are inherited, and the seed of Python's hashes.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import msgspec

from pipeline.errors import SetupError
from pipeline.settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

MAINS = {"pipeline": "pipeline.cli", "loadtest.chaos.build": "loadtest.chaos.build"}
"""Which module's `main` stands for `python -m NAME`."""
PRELOADED = (
    *MAINS.values(),
    "pipeline.engine.worker",
    "agents",
    "loadtest.chaos.mutants",
    "loadtest.chaos.failpoints",
    "sinks.main",
)
BIRTH_SECONDS = 30.0
MESSAGE_BYTES_MAX = 1 << 17
QUIET_THREADS = {"OPENBLAS_NUM_THREADS": "1"}
"""A process with threads is not forked: the child would have none of them, and their locks."""


class Order(msgspec.Struct, frozen=True):
    """A process that is wanted: what stands behind `python -m`, all its variables, and the log that it adds to."""

    arguments: tuple[str, ...]
    environ: dict[str, str]
    log: str


class Word(msgspec.Struct, frozen=True):
    """What the nursery says: a process was born (`status` is None), or has ended."""

    pid: int
    status: int | None = None


class Forked:
    """A process that the nursery has born; like a `subprocess.Popen` as far as a rig uses one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None
        self._ended = threading.Event()

    def end(self, status: int) -> None:
        """Note its end."""
        self._status = status
        self._ended.set()

    def poll(self) -> int | None:
        """Give the exit status, below 0 for a signal; None while it runs."""
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end. Raises TimeoutExpired."""
        if not self._ended.wait(timeout) or self._status is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return self._status

    def send_signal(self, number: int) -> None:
        """Signal it, if it still runs."""
        if self._status is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, if it still runs."""
        self.send_signal(signal.SIGKILL)


class Nursery:
    """This side of the nursery: threads may ask for processes at the same time."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._asking = threading.Lock()
        self._heard = threading.Condition()
        self._born: list[Forked] = []
        self._living: dict[int, Forked] = {}
        threading.Thread(target=self._listen, name="nursery", daemon=True).start()

    def spawn(self, arguments: Sequence[str], environ: Mapping[str, str], log: Path) -> Forked:
        """Start a process. Raises SetupError where none is born."""
        with self._asking, self._heard:
            self._line.send(msgspec.msgpack.encode(Order(tuple(arguments), dict(environ), str(log))))
            if not self._heard.wait_for(lambda: self._born, BIRTH_SECONDS):
                message = f"no process was born within {BIRTH_SECONDS:g} s for {' '.join(arguments)}"
                raise SetupError(message)
            return self._born.pop()

    def _listen(self) -> None:
        while received := self._line.recv(MESSAGE_BYTES_MAX):
            word = msgspec.msgpack.decode(received, type=Word)
            with self._heard:
                if word.status is None:
                    self._living[word.pid] = Forked(word.pid)
                    self._born.append(self._living[word.pid])
                    self._heard.notify_all()
                else:
                    self._living.pop(word.pid).end(word.status)


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Have a nursery for a block of code. It ends with the block; what it has born is the caller's to end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "loadtest.chaos.nursery", str(theirs.fileno())]
    environ = {**os.environ, **QUIET_THREADS}
    process = subprocess.Popen(  # noqa: S603 - this project's own command
        command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), start_new_session=True
    )
    theirs.close()
    try:
        yield Nursery(ours)
    finally:
        ours.shutdown(socket.SHUT_RDWR)
        process.wait()
        ours.close()


def main(arguments: list[str]) -> int:
    """Serve orders on an open socket until its other side is closed."""
    line = socket.socket(fileno=int(arguments[0]))
    for name in PRELOADED:
        importlib.import_module(name)
    if threading.active_count() > 1:
        print(f"nursery: an import started threads: {threading.enumerate()}", file=sys.stderr)
        return 1
    gc.freeze()
    woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker)
    while True:
        ready, _, _ = select.select([line.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 1 << 12)
            _tell_ends(line)
        if line.fileno() in ready:
            received = line.recv(MESSAGE_BYTES_MAX)
            if not received:
                return 0
            _bear(line, msgspec.msgpack.decode(received, type=Order))


def _bear(line: socket.socket, order: Order) -> None:
    pid = os.fork()
    if pid:
        line.send(msgspec.msgpack.encode(Word(pid)))
    else:
        _live(line, order)


def _tell_ends(line: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        line.send(msgspec.msgpack.encode(Word(pid, os.waitstatus_to_exitcode(status))))


def _live(line: socket.socket, order: Order) -> NoReturn:
    """Be the process that was ordered, as if it had been started by itself."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    line.close()
    os.setsid()
    log = os.open(order.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(order.environ)
    random.seed()
    faulthandler.enable()
    name, *arguments = order.arguments
    sys.argv = [name, *arguments]
    raise SystemExit(importlib.import_module(MAINS[name]).main(arguments))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
