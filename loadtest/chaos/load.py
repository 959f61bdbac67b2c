"""`python -m loadtest.chaos.load --file LOAD --acks FILE`: the load generator of a chaos run, an open loop.

It sends the base load by time, whatever the pipeline and the broker do meanwhile, and carries out commands that come
over its standard input (loadtest/chaos/load_words.py). When the base load is out before it is told to finish, it sends
its latest records again, a few a second: faults that are late need input, too. Every acknowledged record is written to
the acks file as a msgpack array `[topic, partition, offset, key or null]`. A record waits up to MESSAGE_SECONDS for a
broker that is away: one that is lost then is counted as failed, which no run survives.
"""

from __future__ import annotations

import argparse
import os
import queue
import random
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from loadtest.chaos.load_outlet import AckedOutlet
from loadtest.chaos.load_plan import LoadPlan, read_load
from loadtest.chaos.load_words import Burst, Command, Done, Finish, Flood, Repeat, Shuffle, Standing, Word
from pipeline.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtest.scenario import TimedRecord

NAP_SECONDS_MAX = 0.005
STANDING_SECONDS = 0.5
FINISH_PER_SECOND = 2_000
REPEATED_PER_SECOND = 20
"""Of the latest records, while the base load is out and there is nothing else to send."""
LATEST_RECORDS = 2_000
"""How many of the latest records can be sent again."""


class Clock(NamedTuple):
    """When a record of the base load is due: at its own time, or in its place in what is sent fast at the end."""

    began: float
    hurried_at: float = 0.0
    hurried_from: int = 0

    def due(self, position: int, record: TimedRecord) -> float:
        """Give the monotonic time."""
        if self.hurried_at:
            return self.hurried_at + (position - self.hurried_from) / FINISH_PER_SECOND
        return self.began + record.offset_seconds


class Generator:
    """Sends a plan; a thread puts the commands that come in into `commands`."""

    def __init__(self, plan: LoadPlan, outlet: AckedOutlet, commands: queue.SimpleQueue[Command]) -> None:
        self._base = list(plan.base)
        self._plan = plan
        self._outlet = outlet
        self._commands = commands
        self._position = 0
        self._late = 0.0
        self._latest: list[TimedRecord] = []
        self._said = 0.0
        self._clock = Clock(time.monotonic())
        self._repeated = 0
        self._repeat_due = 0.0

    def run(self) -> int:
        """Send until told to finish. Gives the number of records that failed."""
        while self._position < len(self._base) or not self._clock.hurried_at:
            self._obey()
            self._send_due()
            self._repeat_latest()
            self._say()
            self._outlet.poll(NAP_SECONDS_MAX)
        self._outlet.flush(self._say)
        self._say(ended=True)
        return self._outlet.failed

    def _send_due(self) -> None:
        now = time.monotonic()
        while self._position < len(self._base):
            record = self._base[self._position]
            due = self._clock.due(self._position, record)
            if due > now:
                return
            self._late = max(self._late, now - due)
            self._position += 1
            self._send(record)

    def _repeat_latest(self) -> None:
        """Send one of the latest records again, where it is due and all others are sent."""
        now = time.monotonic()
        if self._position < len(self._base) or self._clock.hurried_at or not self._latest or now < self._repeat_due:
            return
        self._repeat_due = max(now, self._repeat_due + 1 / REPEATED_PER_SECOND)
        self._outlet.send(self._latest[self._repeated % len(self._latest)])
        self._repeated += 1

    def _send(self, record: TimedRecord) -> None:
        self._outlet.send(record)
        self._latest.append(record)
        if len(self._latest) > 2 * LATEST_RECORDS:
            del self._latest[:LATEST_RECORDS]

    def _obey(self) -> None:
        try:
            command = self._commands.get_nowait()
        except queue.Empty:
            return
        began = time.monotonic()
        match command:
            case Finish():
                self._clock = Clock(self._clock.began, began, self._position)
                return
            case Burst(which=which):
                records, moved = self._plan.bursts[which % len(self._plan.bursts)], 0
                self._send_by_time(records)
            case Flood(which=which):
                records, moved = self._plan.floods[which % len(self._plan.floods)], 0
                self._send_all(records)
            case Repeat():
                records, moved = self._copies(command), 0
                self._send_all(records)
            case Shuffle():
                records, moved = self._shuffled(command)
                self._send_all(records)
        _print(Done(number=command.number, records=len(records), seconds=time.monotonic() - began, moved=moved))

    def _copies(self, command: Repeat) -> list[TimedRecord]:
        records = self._latest[-command.records :] * command.copies
        random.Random(command.seed).shuffle(records)  # noqa: S311 - a choice to repeat, not a secret
        return records

    def _shuffled(self, command: Shuffle) -> tuple[list[TimedRecord], int]:
        """Take the next records of the base load, and change their order. Says how many are in another place now.

        When the base load is out, the latest records come again in another order.
        """
        taken = self._base[self._position : self._position + command.records]
        self._position += len(taken)
        taken = taken or self._latest[-command.records :]
        places = list(range(len(taken)))
        random.Random(command.seed).shuffle(places)  # noqa: S311 - a choice to repeat, not a secret
        return [taken[place] for place in places], sum(place != index for index, place in enumerate(places))

    def _send_all(self, records: Sequence[TimedRecord]) -> None:
        for record in records:
            self._send(record)

    def _send_by_time(self, records: Sequence[TimedRecord]) -> None:
        began = time.monotonic()
        for record in records:
            while time.monotonic() < began + record.offset_seconds:
                self._outlet.poll(0.0)
            self._send(record)

    def _say(self, *, ended: bool = False) -> None:
        now = time.monotonic()
        if now - self._said < STANDING_SECONDS and not ended:
            return
        self._said = now
        self._outlet.write()
        outlet = self._outlet
        _print(
            Standing(
                sent=outlet.sent,
                acknowledged=outlet.acknowledged,
                failed=outlet.failed,
                left=len(self._base) - self._position,
                late_seconds=self._late,
                ended=ended,
            )
        )


def _print(word: Word) -> None:
    print(msgspec.json.encode(word).decode(), flush=True)


def _listen(commands: queue.SimpleQueue[Command]) -> None:
    """Take commands from the standard input; its end is one to finish."""
    for line in sys.stdin:
        commands.put(msgspec.json.decode(line, type=Command))
    commands.put(Finish())


def main(arguments: list[str]) -> int:
    """Send. Gives 0 when every record was acknowledged."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.chaos.load", description=__doc__)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--acks", type=Path, required=True)
    options = parser.parse_args(arguments)
    settings = read_settings(os.environ, needs=("kafka",))
    commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
    with options.acks.open("ab") as acks:
        outlet = AckedOutlet(settings, acks)
        generator = Generator(read_load(options.file), outlet, commands)
        threading.Thread(target=_listen, args=(commands,), daemon=True).start()
        return 1 if generator.run() else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
