"""Which embedded services are up: started together, written down in the run directory, found again, taken down."""

from __future__ import annotations

import fcntl
import importlib
import os
import shutil
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol, cast

import msgspec

from pipeline.errors import SetupError
from pipeline.services.process import Running, is_alive, stop
from pipeline.settings import ENDPOINTS_FILE, SERVICES, VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from types import FrameType


class Service(Protocol):
    """A module of this package that starts one kind of server."""

    def start(self, directory: Path) -> Running:
        """Start it on a directory, new or used before, and wait until it is ready. Raises SetupError."""

    def answers(self, address: str) -> bool:
        """Say whether a server of this kind answers at an address."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How one service stands. `pid` is 0 for a server that this project has not started."""

    name: str
    address: str
    pid: int
    healthy: bool


def service(name: str) -> Service:
    """Give the module that starts `kafka`, `redis` or `clickhouse`."""
    return cast("Service", importlib.import_module(f"pipeline.services.{name}"))


def service_directory(run_dir: Path, name: str) -> Path:
    """Say where a service keeps its data, its configuration and its log."""
    return run_dir / "services" / name


def processes(run_dir: Path) -> dict[str, Running]:
    """Give the servers that were started from a run directory and not taken down, dead ones too.

    Raises SetupError when the file that names them cannot be read.
    """
    path = run_dir / ENDPOINTS_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Roster, dec_hook=_path).processes
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        message = f"{path}: {error}; stop the servers by hand and remove the file"
        raise SetupError(message) from error


def bring_up(run_dir: Path, names: Sequence[str] = SERVICES) -> dict[str, Running]:
    """Start the services that are not up yet, a dead one on its old data. Gives those asked for.

    Raises SetupError; what this call had started until then is stopped again.
    """
    run_dir = run_dir.resolve()
    started: dict[str, Running] = {}
    with _alone_in(run_dir):
        known = processes(run_dir)
        try:
            for name in names:
                running = known.get(name)
                if running is not None and is_alive(running):
                    if service(name).answers(running.address):
                        continue
                    stop(running)
                print(f"{name}: starting", file=sys.stderr)
                started[name] = service(name).start(service_directory(run_dir, name))
                _write(run_dir, {**known, **started})
        except BaseException:
            for running in started.values():
                stop(running)
            _write(run_dir, {name: running for name, running in known.items() if name not in started})
            raise
    everything = {**known, **started}
    return {name: everything[name] for name in names}


def take_down(run_dir: Path, names: Collection[str] = SERVICES, *, clean: bool = False) -> list[str]:
    """Stop what was started from a run directory, and remove its data if `clean`. Gives what was stopped."""
    run_dir = run_dir.resolve()
    stopped = []
    with _alone_in(run_dir):
        known = processes(run_dir)
        for name in names:
            gone = known.pop(name, None)
            if gone is not None and is_alive(gone):
                stop(gone)
                stopped.append(name)
            if clean:
                shutil.rmtree(service_directory(run_dir, name), ignore_errors=True)
        _write(run_dir, known)
    return stopped


def statuses(run_dir: Path, environ: Mapping[str, str]) -> list[Status]:
    """Ask every service whether it answers: where the environment names one, that one, else the embedded one."""
    known = processes(run_dir)
    found = []
    for name in SERVICES:
        given = environ.get(VARIABLES[name], "")
        running = None if given else known.get(name)
        alive = running is not None and is_alive(running)
        address = given or (running.address if running else "")
        healthy = (alive or bool(given)) and service(name).answers(address)
        found.append(Status(name=name, address=address, pid=running.pid if running and alive else 0, healthy=healthy))
    return found


@contextmanager
def running(run_dir: Path, names: Sequence[str] = SERVICES) -> Iterator[dict[str, str]]:
    """Have services up for a block of code; at its end stop those that were not up before, however it ends.

    Gives their addresses by name. Other processes find the services through HOLDFAST_RUN_DIR. Within the block,
    `processes(run_dir)` gives their pids, and `bring_up(run_dir, (name,))` starts a killed one again on its data.
    """
    before = {name for name, one in processes(run_dir).items() if is_alive(one)}
    with _sigterm_unwinds():
        try:
            yield {name: one.address for name, one in bring_up(run_dir, names).items()}
        finally:
            take_down(run_dir, [name for name in names if name not in before])


class _Roster(msgspec.Struct):
    """The file in the run directory. `pipeline.settings` reads the addresses from it."""

    processes: dict[str, Running]


def _path(kind: type, value: str) -> Path:
    """Read the one type in the file that msgspec does not know."""
    if kind is not Path:
        raise NotImplementedError
    return Path(value)


def _write(run_dir: Path, known: Mapping[str, Running]) -> None:
    """Write the file whole or not at all; without a service there is no file."""
    path = run_dir / ENDPOINTS_FILE
    if not known:
        path.unlink(missing_ok=True)
        return
    addresses = {name: one.address for name, one in known.items()}
    scratch = path.with_suffix(f".{os.getpid()}")
    text = msgspec.json.encode({**addresses, "processes": known}, enc_hook=str)
    scratch.write_bytes(msgspec.json.format(text))
    scratch.replace(path)


@contextmanager
def _alone_in(run_dir: Path) -> Iterator[None]:
    """Hold the run directory for this process: two starts at once become one after the other."""
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / "services.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    """Turn SIGTERM into SystemExit, where nobody has chosen otherwise, so that `finally` blocks run."""
    main_thread = threading.current_thread() is threading.main_thread()
    if not main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    handler: Callable[[int, FrameType | None], NoReturn] = _exit_by_signal
    signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit_by_signal(number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # a second one must not cut the stopping short
    raise SystemExit(128 + number)
