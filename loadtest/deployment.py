"""A deployment to try: servers, topics, workers, sink, gateway and carrier sandbox, in a run directory of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from loadtest.oracle.log import Broker, read_topic
from loadtest.oracle.verdict import Sources
from pipeline.errors import SetupError
from pipeline.services import bring_up, running
from pipeline.services.process import log_tail
from pipeline.settings import ROOT, SERVICES, VARIABLES, Settings, read_settings
from pipeline.topics import ORDERS_RAW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

READY_SECONDS = 90.0
STOP_SECONDS = 90.0
"""How long a deployment may take to drain before it is killed; the supervisor's own limits are shorter."""
POLL_SECONDS = 0.05
UP_FILE = "up.json"
UP_LOG = "up.log"


class Site(NamedTuple):
    """Where a deployment is: its run directory, its settings, and the environment of its processes."""

    run_dir: Path
    settings: Settings
    environ: Mapping[str, str]

    @property
    def sources(self) -> Sources:
        """Say where the run leaves its traces."""
        settings, book = self.settings, self.run_dir / "sandbox" / "book.jsonl"
        broker = Broker(settings.kafka, settings.kafka_config)
        return Sources(broker, book, settings.clickhouse, settings.deployment, settings.redis, self.run_dir)


def provision(place: Site) -> None:
    """Create the topics. Raises SetupError where orders are in them already: the check would count those too."""
    run_module(place, "pipeline", "topics")
    if next(read_topic(place.sources.broker, ORDERS_RAW.name), None) is not None:
        message = f"{ORDERS_RAW.name} at {place.settings.kafka} is not empty: a run wants a broker of its own"
        raise SetupError(message)


class UpProcess(msgspec.Struct, frozen=True):
    """A process of a deployment, as up.json has it. `metrics`: where a worker serves them, empty until it does."""

    pid: int
    metrics: str = ""


class _UpFile(msgspec.Struct, frozen=True):
    processes: dict[str, UpProcess]
    ready: bool


@contextmanager
def site(pools: Mapping[str, str], *, keep: bool) -> Iterator[Site]:
    """Have servers for a block of code: those that the environment names, and embedded ones for the rest.

    They run in a new directory, which is removed at the end with all in it, unless it is to `keep`. `pools` is the shop
    map. Raises SetupError.
    """
    base = read_settings(os.environ).run_dir
    base.mkdir(parents=True, exist_ok=True)
    run_dir = Path(tempfile.mkdtemp(prefix="run-", dir=base)).resolve()
    shops = run_dir / "shop-pools.json"
    shops.write_bytes(msgspec.json.encode(pools))
    environ = {
        **os.environ,
        VARIABLES["run_dir"]: str(run_dir),
        VARIABLES["shop_pools_file"]: str(shops),
        "PYTHONFAULTHANDLER": "1",  # a process that dies in C code says where, in its log
    }
    names = [name for name in SERVICES if not os.environ.get(VARIABLES[name])]
    with ExitStack() as stack:
        if keep:
            bring_up(run_dir, names)
        else:
            stack.callback(shutil.rmtree, run_dir, ignore_errors=True)
            stack.enter_context(running(run_dir, names))
        yield Site(run_dir, read_settings(environ, needs=SERVICES), environ)


def run_module(place: Site, *arguments: str) -> None:
    """Run a command of `python -m` to its end, quietly. Raises SetupError with what it said when it fails."""
    done = subprocess.run(  # noqa: S603 - the project's own commands
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=dict(place.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"`python -m {' '.join(arguments)}` failed with status {done.returncode}:\n{done.stderr[-2000:]}"
        raise SetupError(message)


class Deployment:
    """The processes of `python -m pipeline up`."""

    def __init__(self, place: Site, workers: int) -> None:
        self.place = place
        self.log = place.run_dir / UP_LOG
        self._command = [sys.executable, "-m", "pipeline", "up", "--no-clock", "--workers", str(workers)]
        self._supervisor: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the supervisor, in a session of its own: Ctrl-C is for the caller to pass on."""
        with self.log.open("ab") as log:
            self._supervisor = subprocess.Popen(  # noqa: S603 - the project's own command
                self._command,
                cwd=ROOT,
                env=dict(self.place.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Wait until every worker says that it runs. Raises SetupError."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._read().ready:
            self.check()
            if time.monotonic() > deadline:
                message = f"the deployment is not ready after {READY_SECONDS:g} s\n{log_tail(self.log)}"
                raise SetupError(message)
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """Raise SetupError when the supervisor has given up."""
        if self._supervisor is not None and (status := self._supervisor.poll()) is not None:
            message = f"the deployment ended with status {status}\n{log_tail(self.log)}"
            raise SetupError(message)

    def processes(self) -> Mapping[str, UpProcess]:
        """Give the processes that run now, by name; none before the first ones have started."""
        return self._read().processes

    def sandbox_url(self) -> str:
        """Say where the carrier sandbox listens. Raises SetupError where the carrier is another one."""
        try:
            return (self.place.run_dir / "ready" / "sandbox").read_text().strip()
        except FileNotFoundError as error:
            message = f"{VARIABLES['carrier_url']} names the carrier: only the sandbox of `up` can be told to fail"
            raise SetupError(message) from error

    def _read(self) -> _UpFile:
        with suppress(FileNotFoundError):
            return msgspec.json.decode((self.place.run_dir / UP_FILE).read_bytes(), type=_UpFile)
        return _UpFile({}, ready=False)

    def stop(self) -> int:
        """Drain, and give the supervisor's exit status; kill what does not end in time."""
        if self._supervisor is None:
            return 0
        self._supervisor.terminate()
        try:
            return self._supervisor.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._supervisor.pid, signal.SIGKILL)
            return self._supervisor.wait()


@contextmanager
def deployed(place: Site, workers: int) -> Iterator[Deployment]:
    """Have a deployment for a block of code. It is drained at the end, however the block ends."""
    deployment = Deployment(place, workers)
    try:
        deployment.start()
        deployment.wait_until_ready()
        yield deployment
    finally:
        deployment.stop()
