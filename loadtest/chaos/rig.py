"""The rig of a chaos run: every process its own child, each started again when it exits, whatever ended it.

Servers are the embedded ones of `loadtest.deployment.site`. Workers, sink and sandbox run as the test build, so that
failpoints and mutants work in them.
"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from agents import STAGE_NAMES
from agents.supervisor import sandbox_arguments
from loadtest.chaos.child import Child, Exit
from loadtest.chaos.outage import Outage
from loadtest.chaos.readings import Announced, Reading, announced, read_worker
from loadtest.chaos.spawning import spawn
from loadtest.deployment import UpProcess
from pipeline.engine.engine import EXIT_REFUSED
from pipeline.errors import SetupError
from pipeline.services.process import LOOPBACK, free_port, log_tail, wait_until
from pipeline.settings import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from loadtest.chaos.ground import Ground
    from loadtest.chaos.loading import Loader
    from loadtest.chaos.spawning import Spawn
    from loadtest.deployment import Site

BUILD = "loadtest.chaos.build"
TEND_SECONDS = 0.05
READY_SECONDS = 120.0
DRAIN_SECONDS = 40.0
SHORT_LIFE_SECONDS = 1.0
"""A process that lived no longer is started again after a pause of as long: it may wait for a server."""
REFUSAL_PAUSE_SECONDS = 2.0
TAKE_SECONDS = 90.0
"""How long a fault waits for a worker that is at work and that no other fault has."""
REFUSALS_MAX = 5
"""Refused starts in a row after which a worker is given up, and the run with it."""
NO_BROKER = "no transaction can be begun"
OUTAGE_SECONDS = 90.0
"""How long after its end an outage may make a worker refuse: it waits for a minute before it does."""
WORKER = "worker-"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A worker refused to start: the end of its log says why."""

    exit: Exit
    log: str
    expected: bool
    """Whether a fault wanted it, or the broker was away and the worker says no more than that: that is no finding."""


class Shape(NamedTuple):
    """How a rig is set up: its workers, variables for all processes and for single slots."""

    workers: int
    environ: Mapping[str, str]
    by_slot: Mapping[int, Mapping[str, str]] = {}
    spawn: Spawn = spawn
    """How its processes are started."""


class Rig:
    """The processes of a run. Faults on threads of their own use it at the same time."""

    def __init__(self, place: Site, shape: Shape) -> None:
        self.place = place
        self.shape = shape
        self.refusals: list[Refusal] = []
        self.children: dict[str, Child] = {}
        self.sandbox_url = ""
        self.wanted_refusals: set[int] = set()
        """The processes that a fault wants to see refuse."""
        self.loader: Loader | None = None
        """The load generator, once it runs."""
        self._environ = {**place.environ, **shape.environ}
        self.outage = Outage()
        self.ground: Ground | None = None
        self._taken: set[str] = set()
        self._taking = threading.Lock()
        self._stopping = threading.Event()
        self._tender = threading.Thread(target=self._tend, name="tender", daemon=True)
        self._due: dict[str, float] = {}

    # --- the life of the rig ---

    def start(self) -> None:
        """Start everything, and wait until the workers share all partitions. Raises SetupError."""
        run_dir, settings = self.place.run_dir, self.place.settings
        (run_dir / "ready").mkdir(exist_ok=True)
        gateway_port, sandbox_port = free_port(), free_port()
        self.sandbox_url = f"http://{LOOPBACK}:{sandbox_port}"
        self._environ |= {
            VARIABLES["gateway_port"]: str(gateway_port),
            VARIABLES["carrier_url"]: f"{self.sandbox_url}/std/service",
        }
        gateway = ["pipeline", "gateway", "--ready-file", str(run_dir / "ready" / "gateway")]
        sandbox = [BUILD, *sandbox_arguments(settings, sandbox_port, gateway_port)]
        for name, arguments in (("gateway", gateway), ("sandbox", sandbox), ("sink", [BUILD, "sink"])):
            self.children[name] = child = Child(name, arguments, self._environ, run_dir)
            child.spawn = self.shape.spawn
            child.start()
        for slot in range(self.shape.workers):
            self.add_worker(slot).start()
        for name in ("gateway", "sandbox"):
            self._wait_for((run_dir / "ready" / name).exists, name)
        self._tender.start()
        self._wait_for(lambda: self.owned() == self.partitions, "the group of workers")

    def add_worker(self, slot: int, extra: Mapping[str, str] | None = None) -> Child:
        """Make the worker of a slot, with `extra` variables; it is not started yet."""
        if (known := self.children.get(f"{WORKER}{slot}")) is not None:
            return known
        if self._stopping.is_set():
            message = "the rig has ended"
            raise SetupError(message)
        environ = {**self._environ, **self.shape.by_slot.get(slot, {}), **(extra or {})}
        child = Child(f"{WORKER}{slot}", [BUILD, "worker", "--slot", str(slot)], environ, self.place.run_dir)
        child.spawn = self.shape.spawn
        self.children = {**self.children, child.name: child}
        return child

    def drain(self) -> bool:
        """End everything, who calls before who is called, and the sink last. Says whether all ended well."""
        self._stopping.set()
        self._tender.join()
        well = True
        ranks = {"sandbox": 1, "gateway": 2, "sink": 3}
        for rank in range(len(ranks) + 1):
            group = [child for child in self.children.values() if child.running and ranks.get(child.name, 0) == rank]
            for child in group:
                child.send(signal.SIGCONT)
                child.send(signal.SIGTERM)
            for child in group:
                well = child.has_drained(DRAIN_SECONDS) and well
        return well

    def kill_all(self) -> None:
        """End everything at once, and for good: a fault that still runs can start nothing again."""
        self._stopping.set()
        for child in list(self.children.values()):
            child.end()
            child.wait(DRAIN_SECONDS)

    def _wait_for(self, condition: Callable[[], bool], name: str) -> None:
        if not wait_until(condition, READY_SECONDS):
            logs = "\n".join(log_tail(child.log) for child in self.children.values())
            message = f"{name} did not become ready within {READY_SECONDS:g} s\n{logs}"
            raise SetupError(message)

    def _tend(self) -> None:
        """Start again what has exited, unless somebody holds it."""
        while not self._stopping.wait(TEND_SECONDS):
            for child in list(self.children.values()):
                if not child.held and not child.running:
                    self._bring_back(child)

    def _bring_back(self, child: Child) -> None:
        now = time.monotonic()
        if child.name not in self._due:
            last = child.exits[-1]
            pause = 0.0 if last.lived_seconds > SHORT_LIFE_SECONDS else SHORT_LIFE_SECONDS
            if last.status == EXIT_REFUSED:
                said = log_tail(child.log)
                is_away = NO_BROKER in said and self.outage.within(OUTAGE_SECONDS)
                expected = is_away or last.pid in self.wanted_refusals
                self.refusals.append(Refusal(exit=last, log=said, expected=expected))
                pause = REFUSAL_PAUSE_SECONDS
            self._due[child.name] = now + pause
        if now >= self._due[child.name] and not self.given_up(child):
            del self._due[child.name]
            child.start()

    @staticmethod
    def given_up(child: Child) -> bool:
        """Say whether a worker refuses to start again and again."""
        latest = child.exits[-REFUSALS_MAX:]
        return len(latest) == REFUSALS_MAX and all(one.status == EXIT_REFUSED for one in latest)

    @contextmanager
    def taken(self, wanted: int) -> Iterator[Child]:
        """Have a worker for one fault alone, if it can be the wanted one. Raises SetupError where none becomes free."""
        deadline = time.monotonic() + TAKE_SECONDS
        while (child := self._take(wanted)) is None:
            if time.monotonic() > deadline:
                message = f"no worker was free and at work within {TAKE_SECONDS:g} s"
                raise SetupError(message)
            time.sleep(TEND_SECONDS)
        try:
            yield child
        finally:
            self._taken.discard(child.name)

    def _take(self, wanted: int) -> Child | None:
        for place in range(self.shape.workers):
            child = self.workers[(wanted + place) % self.shape.workers]
            if child.name in self._taken or child.held:
                continue
            is_at_work = self.works(child)
            with self._taking:
                if is_at_work and child.name not in self._taken:
                    self._taken.add(child.name)
                    return child
        return None

    # --- what it says ---

    @property
    def partitions(self) -> int:
        """The partitions that the workers share: those of each stage's input."""
        return len(STAGE_NAMES) * self.place.settings.partitions

    @property
    def workers(self) -> list[Child]:
        """The workers, by slot."""
        return [child for name, child in self.children.items() if name.startswith(WORKER)]

    def announced(self, child: Child) -> Announced | None:
        """Give where a worker serves its metrics, if the process that runs now has said so."""
        slot = child.name.removeprefix(WORKER)
        found = announced(self.place.run_dir / "workers" / f"{self.place.settings.deployment}-{slot}.json")
        return found if found and found.pid == child.pid else None

    def read(self, child: Child) -> Reading | None:
        """Read a worker's metrics; None where it does not run or answer."""
        place = self.announced(child)
        return read_worker(place) if place and child.running else None

    def works(self, child: Child) -> bool:
        """Say whether a worker answers, and owns partitions."""
        reading = self.read(child)
        return reading is not None and reading.partitions > 0

    def owned(self) -> int:
        """Count the partitions that the workers that answer own."""
        return sum(reading.partitions for reading in map(self.read, self.workers) if reading)

    def processes(self) -> Mapping[str, UpProcess]:
        """Give the processes that run now, by name."""
        found = {}
        for name, child in self.children.items():
            if child.running:
                place = self.announced(child) if name.startswith(WORKER) else None
                found[name] = UpProcess(child.pid, place.metrics if place else "")
        return found

    def exits(self) -> list[Exit]:
        """Give all exits so far, by time."""
        return sorted((one for child in self.children.values() for one in child.exits), key=lambda one: one.at_ms)

    def check(self) -> None:
        """Raise SetupError when a worker was given up."""
        for child in self.workers:
            if self.given_up(child):
                message = f"{child.name} refuses to start\n{log_tail(child.log)}"
                raise SetupError(message)
