"""One run of one contender: started on the filled input, watched until it has answered, judged."""

from __future__ import annotations

import subprocess
import time
from bisect import bisect_left
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import psutil

from loadtest.oracle.log import Broker, read_topic
from loadtest.peers.contenders import Contender, Place, environment
from loadtest.peers.model import Verdict
from pipeline.errors import SetupError
from pipeline.services.process import log_tail
from pipeline.settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loadtest.peers.ground import Ground
    from loadtest.peers.work import Work

POLL_SECONDS = 0.1
QUIET_SECONDS = 1.0
"""What was written is read when nothing has been for so long: it may be all."""
STILL_SECONDS = 30.0
"""What has not come when nothing came for so long is lost: a dead process's session and transaction are over then."""
PREPARE_TRIES_MAX = 5
"""A topic that was just made may have no leader yet."""
STARTS_MAX = 20
"""A process that ends by itself is started again so often."""


class Limits(NamedTuple):
    """How long a run may take: a slow contender is stopped then, and its rate is that of what it did.

    `kill_at` are the shares of the answers at which it is killed.
    """

    seconds_max: float
    kill_at: Sequence[float] = ()


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one run gave. The figures are of the orders in the work's window, by the broker's clock."""

    contender: str
    answers: int
    measured: int
    seconds: float
    cpu_seconds: float
    broker_cpu_seconds: float
    whole: bool
    """Whether everything was answered within the time."""
    comparable: bool
    """Whether its figures may be compared: it was whole, or the work is such that a part shows the rate."""
    verdict: Verdict | None
    """None where it was stopped before it had answered everything."""
    kills: int = 0
    exits: int = 0
    """Ends of its own."""
    back_seconds: list[float] = []
    """From each kill to the first answer after it."""


class Came(NamedTuple):
    """Committed answers, as the work reads them, in the order of their times (seconds since 1970)."""

    answers: list[Any]
    times: list[float]


class Meter:
    """Reads the CPU time of a contender's process, of those that it replaced, and of the broker."""

    def __init__(self, broker_pid: int) -> None:
        self._broker = psutil.Process(broker_pid)
        self._process: psutil.Process | None = None
        self._before = self._last = 0.0
        self.readings: list[tuple[float, float, float]] = []

    def watch(self, pid: int) -> None:
        """Watch a new process; what its forerunner took stays counted."""
        self._before, self._last = self._before + self._last, 0.0
        self._process = psutil.Process(pid)

    def read(self) -> None:
        """Take a reading."""
        with suppress(psutil.NoSuchProcess):
            if self._process is not None:
                self._last = _cpu_seconds(self._process)
        self.readings.append((time.time(), self._before + self._last, _cpu_seconds(self._broker)))

    def between(self, begin: float, end: float) -> tuple[float, float]:
        """Give the CPU seconds of the contender and of the broker between two moments, interpolated."""
        first, last = self._at(begin), self._at(end)
        return last[0] - first[0], last[1] - first[1]

    def _at(self, moment: float) -> tuple[float, float]:
        index = bisect_left(self.readings, (moment, 0.0, 0.0))
        if index in {0, len(self.readings)}:
            reading = self.readings[min(index, len(self.readings) - 1)]
            return reading[1], reading[2]
        (t0, own0, broker0), (t1, own1, broker1) = self.readings[index - 1], self.readings[index]
        share = (moment - t0) / (t1 - t0) if t1 > t0 else 0.0
        return own0 + (own1 - own0) * share, broker0 + (broker1 - broker0) * share


class Trial:
    """A contender at work on the ground."""

    def __init__(self, ground: Ground, contender: Contender, place: Place, work: Work) -> None:
        self._ground, self._contender, self._place, self._work = ground, contender, place, work
        self._meter = Meter(ground.broker_pid)
        self._process: subprocess.Popen[bytes] | None = None
        self._kills: list[float] = []
        self._exits = 0
        self._began = 0.0

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self._place.directory / "peer.log"

    def run(self, limits: Limits) -> Run:
        """Start it, watch it, judge what came. Raises SetupError when nothing comes at all."""
        self._ground.clear()
        self._prepare()
        with self._work.laid_out(self._place):
            self._start()
            try:
                came = self._follow(limits)
            finally:
                self._end()
        return self._judged(came)

    def _prepare(self) -> None:
        self._place.directory.mkdir(parents=True, exist_ok=True)
        if self._contender.prepare is None:
            return
        for _ in range(PREPARE_TRIES_MAX):
            done = subprocess.run(  # noqa: S603 - the project's own commands
                self._contender.prepare(self._place),
                cwd=ROOT,
                env=environment(self._contender, self._place),
                capture_output=True,
                text=True,
                check=False,
            )
            if not done.returncode:
                return
        message = f"{self._contender.name}: it could not be prepared: {done.stderr[-2000:]}"
        raise SetupError(message)

    def _start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the project's own commands
                self._contender.command(self._place),
                cwd=ROOT,
                env=environment(self._contender, self._place),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._meter.watch(self._process.pid)
        self._began = self._began or time.monotonic()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _follow(self, limits: Limits) -> Came:
        """Watch until all is answered, nothing comes any more, or the time is over."""
        topic, wanted = self._contender.writes, self._work.answers
        due = [int(wanted * share) for share in limits.kill_at]
        written, moved, read_at = 0, time.monotonic(), 0
        while True:
            time.sleep(POLL_SECONDS)
            self._meter.read()
            self._tend()
            now, seen = time.monotonic(), self._ground.written(topic)
            if seen != written:
                written, moved = seen, now
            if due and written >= due[0]:
                del due[0]
                self._kill()
            if written >= wanted and now - moved > QUIET_SECONDS and read_at != written:
                came, read_at = self._read(), written
                if self._work.is_whole(came.answers):
                    return came
            if now - moved > STILL_SECONDS or now - self._began > limits.seconds_max:
                return self._read()

    def _tend(self) -> None:
        if self._process is None or self._process.poll() is None:
            return
        self._exits += 1
        if self._exits > STARTS_MAX or not self._ground.written(self._contender.writes):
            message = f"{self._contender.name} ended with status {self._process.returncode}\n{log_tail(self.log)}"
            raise SetupError(message)
        self._start()

    def _kill(self) -> None:
        self._end()
        self._kills.append(time.time())
        self._start()

    def _read(self) -> Came:
        found = []
        for record in read_topic(Broker(self._ground.kafka, {}), self._contender.writes):
            answer = self._work.read(record.value() or b"null")
            if answer is not None:
                found.append((record.timestamp()[1] / 1000, answer))
        found.sort(key=lambda pair: pair[0])
        return Came([answer for _, answer in found], [moment for moment, _ in found])

    def _judged(self, came: Came) -> Run:
        window = self._work.window(came.answers, came.times, self._contender.warm)
        if window is None:
            message = f"{self._contender.name}: nothing came out\n{log_tail(self.log)}"
            raise SetupError(message)
        whole = bool(self._kills) or self._work.is_whole(came.answers)
        cpu, broker = self._meter.between(window.begin, window.end)
        return Run(
            contender=self._contender.name,
            answers=len(came.answers),
            measured=window.orders,
            seconds=window.end - window.begin,
            cpu_seconds=cpu,
            broker_cpu_seconds=broker,
            whole=whole,
            comparable=whole or self._work.is_steady,
            verdict=self._work.judge(came.answers) if whole else None,
            kills=len(self._kills),
            exits=self._exits,
            back_seconds=[_back(came.times, at) for at in self._kills],
        )


def _back(times: Sequence[float], killed_at: float) -> float:
    """Give the seconds from a kill to the first answer after it; -1 when none came."""
    index = bisect_left(times, killed_at)
    return round(times[index] - killed_at, 2) if index < len(times) else -1.0


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
