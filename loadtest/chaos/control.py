"""`python -m loadtest control`: stock Faust's exactly_once and this engine under the same kills, counted.

Records come in at a steady rate; workers are killed with SIGKILL at moments that a seed draws, and started again at
once. Afterwards a `read_committed` reader counts what came out twice and what did not come out. The control is worth
something if it shows that such kills can be seen: a check that finds nothing on either side has not looked.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from confluent_kafka import Producer

from loadtest.chaos.control_sides import OWN, STOCK, Place, Side
from loadtest.options import at_least, writable, write_json
from loadtest.oracle.log import Broker, read_topic
from pipeline.errors import SetupError
from pipeline.services import running
from pipeline.services.process import POLL_SECONDS, log_tail, wait_until
from pipeline.settings import ROOT, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

WORKERS = 2
KILL_EVERY_SECONDS = 4.0
"""Longer than a session of the group, so that most kills meet a group that works."""
FIRST_SECONDS = 60.0
STILL_SECONDS = 45.0
"""What has not come out when nothing came for so long is lost; a dead worker's transaction is over by then."""
FLUSH_SECONDS = 30.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one side. `duplicated`: records that came out more often than once, each time beyond the first."""

    side: str
    sent: int
    out: int
    duplicated: int
    lost: int
    kills: int
    restarts: int
    """Starts after the first of each worker, those after exits of their own among them."""
    seconds: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides under the kills of one seed."""

    seed: int
    records: int
    kills: int
    sides: list[Outcome]


class Workers:
    """The worker processes of one side. Whatever ends one, it is started again."""

    def __init__(self, side: Side, place: Place) -> None:
        self.restarts = 0
        self.kills = 0
        self._side = side
        self._place = place
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def log(self, slot: int) -> Path:
        """Say where a worker's output goes."""
        return self._place.directory / f"worker-{slot}.log"

    def start(self, slot: int) -> None:
        """Start the worker of a slot."""
        with self.log(slot).open("ab") as log:
            self._running[slot] = subprocess.Popen(  # noqa: S603 - the project's own commands
                self._side.command(self._place, slot),
                cwd=ROOT,
                env={**os.environ, **self._side.environ(self._place, slot)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def tend(self) -> None:
        """Start again what has ended."""
        for slot, process in list(self._running.items()):
            if process.poll() is not None:
                self.restarts += 1
                self.start(slot)

    def kill(self, slot: int) -> None:
        """Kill a worker as a power cut would."""
        process = self._running[slot]
        if process.poll() is None:
            process.kill()
            process.wait()
            self.kills += 1

    def end(self) -> None:
        """Kill them all."""
        for process in self._running.values():
            process.kill()
            process.wait()


def main(arguments: list[str]) -> int:
    """Run both sides. Gives 0 when this engine lost and repeated nothing, else 1. Raises SettingsError, SetupError."""
    parser = argparse.ArgumentParser(prog="python -m loadtest control", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="draws the kills (default 1)")
    parser.add_argument("--records", type=int, default=20_000, help="records of each side (default 20,000)")
    parser.add_argument("--kills", type=int, default=8, help="SIGKILLs of each side (default 8)")
    parser.add_argument("--json", type=Path, help="write the result to this file too")
    options = parser.parse_args(arguments)
    at_least(1, records=options.records)
    at_least(0, kills=options.kills)
    writable(json=options.json)
    sides = []
    for side in (STOCK, OWN):
        with _place() as place:
            outcome = run_side(side, place, options.records, kill_times(options.seed, options.kills))
        print(_line(outcome), flush=True)
        sides.append(outcome)
    result = Result(seed=options.seed, records=options.records, kills=options.kills, sides=sides)
    if options.json:
        write_json(options.json, result)
    return int(bool(sides[-1].duplicated or sides[-1].lost))


@contextmanager
def _place() -> Iterator[Place]:
    base = read_settings(os.environ).run_dir
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="control-", dir=base, ignore_cleanup_errors=True) as name:
        directory = Path(name).resolve()
        with running(directory, ("kafka",)) as addresses:
            yield Place(addresses["kafka"], directory)


def kill_times(seed: int, kills: int) -> list[tuple[float, int]]:
    """Draw when which worker is killed: (seconds from the start, slot), in order."""
    chance: Random = random.Random(seed)  # noqa: S311 - a fixed choice of faults
    return [
        (KILL_EVERY_SECONDS * (number + chance.uniform(0.2, 1.0)), chance.randrange(WORKERS)) for number in range(kills)
    ]


def run_side(side: Side, place: Place, records: int, kills: Sequence[tuple[float, int]]) -> Outcome:
    """Run one side on a broker of its own. Raises SetupError when its workers put nothing out at all."""
    side.provision(place)
    with ExitStack() as stack:
        workers = Workers(side, place)
        stack.callback(workers.end)
        for slot in range(WORKERS):
            workers.start(slot)
        began = time.monotonic()
        _feed(side, place, workers, records, kills)
        numbers = _settled(side, place, workers, records)
        seconds = time.monotonic() - began
    distinct = len(numbers)
    return Outcome(
        side=side.name,
        sent=records,
        out=numbers.total(),
        duplicated=numbers.total() - distinct,
        lost=records - distinct,
        kills=workers.kills,
        restarts=workers.restarts,
        seconds=round(seconds, 1),
    )


def _feed(side: Side, place: Place, workers: Workers, records: int, kills: Sequence[tuple[float, int]]) -> None:
    """Send everything at a steady rate, and kill meanwhile; the first record goes alone, to see the workers work."""
    producer = Producer({"bootstrap.servers": place.kafka, "partitioner": "murmur2_random", "linger.ms": 5})
    sent = _send(producer, side, range(1))
    if not wait_until(lambda: bool(_tended(workers, side, place)), FIRST_SECONDS):
        message = f"{side.name}: nothing came out within {FIRST_SECONDS:g} s\n{log_tail(workers.log(0))}"
        raise SetupError(message)
    seconds = KILL_EVERY_SECONDS * (len(kills) + 1)
    began, due = time.monotonic(), list(kills)
    while sent < records:
        elapsed = time.monotonic() - began
        wanted = min(records, 1 + int((records - 1) * elapsed / seconds))
        sent += _send(producer, side, range(sent, wanted))
        while due and elapsed >= due[0][0]:
            workers.kill(due.pop(0)[1])
        workers.tend()
        time.sleep(POLL_SECONDS)
    if producer.flush(FLUSH_SECONDS):
        message = f"{side.name}: the broker did not take all records within {FLUSH_SECONDS:g} s"
        raise SetupError(message)


def _send(producer: Producer, side: Side, numbers: range) -> int:
    for number in numbers:
        key, value = side.record(number)
        producer.produce(side.reads, value, key)
        producer.poll(0)
    return len(numbers)


def _tended(workers: Workers, side: Side, place: Place) -> Counter[int]:
    workers.tend()
    broker = Broker(place.kafka, {})
    return Counter(side.number(record.value() or b"") for record in read_topic(broker, side.writes))


def _settled(side: Side, place: Place, workers: Workers, records: int) -> Counter[int]:
    """Give how often each record came out, once all have or nothing has come for a while."""
    numbers: Counter[int] = Counter()
    moved = time.monotonic()
    while len(numbers) < records and time.monotonic() - moved < STILL_SECONDS:
        seen = _tended(workers, side, place)
        if seen.total() != numbers.total():
            moved = time.monotonic()
        numbers = seen
        time.sleep(1)
    return numbers


def _line(outcome: Outcome) -> str:
    return (
        f"{outcome.side}: {outcome.sent} sent, {outcome.out} out, {outcome.duplicated} duplicated, {outcome.lost} lost "
        f"({outcome.kills} kills, {outcome.restarts} restarts, {outcome.seconds:.0f} s)"
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
