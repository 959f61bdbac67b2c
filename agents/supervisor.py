"""`python -m pipeline up --workers N`: the whole deployment on one machine, each process restarted when it exits.

Workers, sink, gateway and clock; and, where HOLDFAST_CARRIER_URL names no carrier, the carrier sandbox. What runs where
is written to `<run_dir>/up.json`. SIGTERM drains all of it.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from agents import stages
from pipeline.engine.engine import EXIT_REFUSED
from pipeline.engine.provision import provision
from pipeline.errors import SetupError
from pipeline.services.process import BEHIND_ORDERS, LOOPBACK, be_nice, free_port, log_tail
from pipeline.settings import ROOT, VARIABLES, Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

POLL_SECONDS = 0.1
READY_SECONDS = 60.0
DRAIN_SECONDS = 30.0
RESTARTS_MAX = 20
"""Exits of one process within a minute after which the supervisor gives up: something does not heal by itself."""
RESTARTS_WINDOW_SECONDS = 60.0
UP_FILE = "up.json"


class Part:
    """One process of the deployment, which is started again whenever it exits."""

    def __init__(
        self, name: str, arguments: Sequence[str], environ: dict[str, str], run_dir: Path, niceness: int = 0
    ) -> None:
        self.name = name
        self._niceness = niceness
        self._command = [sys.executable, "-m", "pipeline", *arguments]
        self._environ = environ
        self.log = run_dir / "logs" / f"{name}.log"
        self._exits: list[float] = []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id, 0 before the first start."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the process; its output is added to its log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  this project's own command
                self._command, cwd=ROOT, env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        be_nice(self._process.pid, self._niceness)

    def exit_status(self) -> int | None:
        """Give the exit status, if the process has exited (below 0: the signal that killed it)."""
        return self._process.poll() if self._process else None

    def restart(self) -> None:
        """Start the process again. Raises SetupError where that cannot help."""
        status, now = self.exit_status(), time.monotonic()
        self._exits = [at for at in self._exits if now - at < RESTARTS_WINDOW_SECONDS] + [now]
        if status == EXIT_REFUSED or len(self._exits) > RESTARTS_MAX:
            message = f"{self.name} exited with status {status} and will not be started again:\n{log_tail(self.log)}"
            raise SetupError(message)
        print(f"{self.name} exited with status {status}: starting it again", flush=True)
        self.start()

    def stop(self) -> None:
        """Ask the process to drain."""
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def wait(self, deadline: float) -> bool:
        """Wait for the end; past the deadline, kill. Says whether the process ended well by itself."""
        if self._process is None:
            return True
        try:
            return self._process.wait(max(0.0, deadline - time.monotonic())) == 0
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False


def main(arguments: list[str]) -> int:
    """Run the deployment until SIGTERM or SIGINT. Gives 0 if all of it drained."""
    parser = argparse.ArgumentParser(prog="python -m pipeline up", description="run the deployment on this machine")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-clock", action="store_true", help="nobody says what time it is: a replay has its own")
    given = parser.parse_args(arguments)
    if given.workers < 0:
        parser.error(f"--workers: must not be below 0 (it is {given.workers})")
    signal.signal(signal.SIGTERM, _interrupt)
    settings = read_settings(os.environ, needs=("kafka", "redis", "clickhouse"))
    for line in provision(settings, stages(settings)):
        print(line)
    for name in ("gateway", "sandbox"):
        _ready_file(settings, name).unlink(missing_ok=True)
    parts: list[Part] = []
    try:
        for part in plan(settings, given.workers, clock=not given.no_clock):
            parts.append(part)
            part.start()
            if part.name in {"gateway", "sandbox"}:
                _wait_for(_ready_file(settings, part.name), part)
        _watch(settings, parts)
    except KeyboardInterrupt:
        print("draining", flush=True)
    finally:
        (settings.run_dir / UP_FILE).unlink(missing_ok=True)
        drained = _drain(parts)
    return 0 if drained else 1


def plan(settings: Settings, workers: int, *, clock: bool = True) -> Iterator[Part]:
    """Give the parts in the order in which they start: who is called before who calls."""
    run_dir = settings.run_dir
    environ = os.environ | {
        VARIABLES["run_dir"]: str(run_dir),
        VARIABLES["kafka"]: settings.kafka,
        VARIABLES["redis"]: settings.redis,
        VARIABLES["clickhouse"]: settings.clickhouse,
    }
    gateway_port = settings.gateway_port if VARIABLES["gateway_port"] in os.environ else free_port()
    gateway = ["gateway", "--ready-file", str(_ready_file(settings, "gateway"))]
    yield Part("gateway", gateway, environ | {VARIABLES["gateway_port"]: str(gateway_port)}, run_dir)
    if VARIABLES["carrier_url"] not in os.environ:
        port = free_port()
        yield Part("sandbox", sandbox_arguments(settings, port, gateway_port), environ, run_dir)
        environ[VARIABLES["carrier_url"]] = f"http://{LOOPBACK}:{port}/std/service"
    yield Part("sink", ["sink"], environ, run_dir, BEHIND_ORDERS)
    for slot in range(workers):
        yield Part(f"worker-{slot}", ["worker", "--slot", str(slot)], environ, run_dir)
    if clock:
        yield Part("clock", ["clock"], environ, run_dir)


def sandbox_arguments(settings: Settings, port: int, gateway_port: int) -> list[str]:
    """Give the sandbox's command: it reports to the gateway, and keeps its book in the run directory."""
    query = f"?token={settings.gateway_token}" if settings.gateway_token else ""
    return [
        "sandbox",
        *("--port", str(port)),
        *("--book", str(settings.run_dir / "sandbox" / "book.jsonl")),
        *("--push", f"http://{LOOPBACK}:{gateway_port}/carriers/sf/routes{query}"),
        *("--check-word", settings.carrier_check_word),
        *("--ready-file", str(_ready_file(settings, "sandbox"))),
        *settings.sandbox_options.split(),
    ]


def _watch(settings: Settings, parts: Sequence[Part]) -> None:
    """Restart what exits, and write down what runs whenever it changes."""
    written: dict[str, object] = {}
    while True:
        for part in parts:
            if part.exit_status() is not None:
                part.restart()
        running = {part.name: {"pid": part.pid, "log": str(part.log), **_announced(settings, part)} for part in parts}
        if running != written:
            written = dict(running)
            ready = all("metrics" in running[part.name] for part in parts if part.name.startswith("worker-"))
            _write(settings.run_dir / UP_FILE, {"processes": running, "ready": ready})
        time.sleep(POLL_SECONDS)


def _announced(settings: Settings, part: Part) -> dict[str, str]:
    """Read where a worker serves its metrics, if it is the process that said so."""
    slot = part.name.removeprefix("worker-")
    path = settings.run_dir / "workers" / f"{settings.deployment}-{slot}.json"
    with suppress(FileNotFoundError):
        announced = msgspec.json.decode(path.read_bytes(), type=dict[str, str | int])
        if announced["pid"] == part.pid:
            return {"metrics": str(announced["metrics"])}
    return {}


def _wait_for(path: Path, part: Part) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not path.exists():
        if part.exit_status() is not None or time.monotonic() > deadline:
            message = f"{part.name} did not become ready:\n{log_tail(part.log)}"
            raise SetupError(message)
        time.sleep(POLL_SECONDS)


def _drain(parts: Sequence[Part]) -> bool:
    """Stop what calls before what is called, and the sink last: it takes what the others still wrote."""
    drained = True
    order = {"clock": 0, "worker": 0, "sandbox": 1, "gateway": 2, "sink": 3}
    for rank in range(len(order)):
        group = [part for part in parts if order[part.name.partition("-")[0]] == rank]
        for part in group:
            part.stop()
        deadline = time.monotonic() + DRAIN_SECONDS
        for part in group:
            drained = part.wait(deadline) and drained
    return drained


def _ready_file(settings: Settings, name: str) -> Path:
    path = settings.run_dir / "ready" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _write(path: Path, value: object) -> None:
    scratch = path.with_suffix(".new")
    scratch.write_bytes(msgspec.json.format(msgspec.json.encode(value)))
    scratch.replace(path)


def _interrupt(number: int, _frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
