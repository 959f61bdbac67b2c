"""One server process: started in a session of its own, waited for, found again later, stopped.

Every service is a module with `start(directory: Path) -> Running` and `answers(address: str) -> bool`. It keeps its
data, its configuration and its log (`<name>.log`) in that directory; started again on the same directory it finds the
same data and, where it is still free, takes the same port.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil

from pipeline.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable

LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.05
STOP_SECONDS = 20.0
"""How long a server may take to stop by itself before it is killed."""
PORTS = range(20_000, 32_000)
"""Below the ports that the system gives to outgoing connections: a client that calls a stopped server again and again
could otherwise be given the server's port for its own end, and keep it."""
PORT_TRIES_MAX = 100
RELEASE_SECONDS = 5.0
"""How long a server waits for the port that it had: its clients know it by that."""
LOG_TAIL_LINES = 25
LOG_TAIL_BYTES = 64 * 1024
START_TOLERANCE_SECONDS = 60.0
"""Two readings of one process's start time differ when the clock is set; a pid is not given away again this fast."""
BEHIND_ORDERS = 15
"""The niceness of those that tell of orders (ClickHouse, Redis, the sink): where CPU is short, orders go first."""
_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}
"""Processes that this one started and has not reaped yet."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A server that is up."""

    name: str
    pid: int
    started: float
    """The process's start time in seconds since 1970: together with the pid it names the process for ever."""
    address: str
    """As clients take it: `127.0.0.1:9092`, `redis://127.0.0.1:6379/0`, `http://127.0.0.1:8123`."""
    log: Path
    directory: Path


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What `launch` starts. `environ` is added to this process's own environment."""

    name: str
    command: tuple[str, ...]
    address: str
    directory: Path
    environ: Mapping[str, str] = {}
    ready_within_seconds: float = 60.0
    niceness: int = 0

    @property
    def log(self) -> Path:
        """Where its standard output and error go."""
        return self.directory / f"{self.name}.log"


def launch(server: Server, is_ready: Callable[[], bool]) -> Running:
    """Start a server and wait until `is_ready` says so; it is asked again and again, and must not block for long.

    Raises SetupError, with the end of the log, when the process cannot start, exits, or is not ready in time. Whatever
    ends the wait early, the process does not outlive it.
    """
    server.directory.mkdir(parents=True, exist_ok=True)
    with server.log.open("ab") as log:
        try:
            child = subprocess.Popen(  # noqa: S603 - the command is this project's own
                server.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=server.directory,
                env={**os.environ, **server.environ},
                start_new_session=True,
            )
        except OSError as error:
            message = f"{server.name} did not start: {error}"
            raise SetupError(message) from error
    _CHILDREN[child.pid] = child
    be_nice(child.pid, server.niceness)
    running = Running(
        name=server.name,
        pid=child.pid,
        started=_start_time(child.pid),
        address=server.address,
        log=server.log,
        directory=server.directory,
    )
    try:
        _wait_until_ready(server, child, is_ready)
    except BaseException:
        kill(running)
        raise
    return running


def be_nice(pid: int, niceness: int) -> None:
    """Give a process that was just started a niceness; threads that it starts have it too. Below 0 only root may.

    Where the system refuses, all stays as it is.

    Linux shares the CPU between sessions first (sched_autogroup): one with a session of its own gives it its niceness.
    """
    if not niceness:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
        if os.getsid(pid) == pid:
            with suppress(OSError):
                Path(f"/proc/{pid}/autogroup").write_text(str(niceness), "ascii")


def _wait_until_ready(server: Server, child: subprocess.Popen[bytes], is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + server.ready_within_seconds
    while True:
        status = child.poll()
        if status is not None:
            message = f"{server.name} exited with status {status} before it was ready\n{log_tail(server.log)}"
            raise SetupError(message)
        if is_ready():
            return
        if time.monotonic() > deadline:
            message = f"{server.name} was not ready within {server.ready_within_seconds:g} s\n{log_tail(server.log)}"
            raise SetupError(message)
        time.sleep(POLL_SECONDS)


def is_alive(running: Running) -> bool:
    """Say whether that very process still runs, and not another one that was given its pid."""
    try:
        process = psutil.Process(running.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return bool(abs(process.create_time() - running.started) < START_TOLERANCE_SECONDS)
    except psutil.NoSuchProcess:
        return False


def stop(running: Running) -> None:
    """Ask a server to stop, and kill it when it takes too long. Does nothing when it is gone."""
    _signal(running, signal.SIGTERM)
    if not _wait_until_gone(running, STOP_SECONDS):
        kill(running)


def kill(running: Running) -> None:
    """Kill a server at once, as a power cut would. Does nothing when it is gone."""
    _signal(running, signal.SIGKILL)
    if not _wait_until_gone(running, STOP_SECONDS):
        message = f"{running.name} (pid {running.pid}) does not die: look at it with `ps`"
        raise SetupError(message)


def _signal(running: Running, number: signal.Signals) -> None:
    """Signal the whole session: a server's own children end with it."""
    if is_alive(running):
        with suppress(ProcessLookupError):
            os.killpg(running.pid, number)


def _wait_until_gone(running: Running, within_seconds: float) -> bool:
    if not wait_until(lambda: not is_alive(running), within_seconds):
        return False
    child = _CHILDREN.pop(running.pid, None)
    if child is not None:
        child.wait()
    return True


def _start_time(pid: int) -> float:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0


def wait_until(condition: Callable[[], bool], within_seconds: float) -> bool:
    """Ask again and again until a condition holds. Gives whether it did in time."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def free_port(wanted: int = 0) -> int:
    """Give `wanted` where it can be listened on, if not at once then soon, else any free port of `PORTS`.

    A killed process is a zombie for the system while threads of it are still ending, and hold its port.
    """
    if wanted and wait_until(lambda: _is_free(wanted), RELEASE_SECONDS):
        return wanted
    for _ in range(PORT_TRIES_MAX):
        port = PORTS[secrets.randbelow(len(PORTS))]
        if _is_free(port):
            return port
    message = f"no free port among {PORTS.start}-{PORTS.stop - 1} on {LOOPBACK} in {PORT_TRIES_MAX} tries"
    raise SetupError(message)


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def log_tail(log: Path) -> str:
    """Give the last lines of a log, each indented, under the log's path."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        lines = []
    return "\n".join((f"the end of {log}:", *(f"  {line}" for line in lines[-LOG_TAIL_LINES:])))
