"""The sandbox's own book: an append-only file of JSON lines, durable before anything is answered.

It is the ground truth for a check from outside: which orders the carrier took, under which number, and what became of
them. No other part of this project writes it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedRandom
    from pathlib import Path

GROUP_SECONDS = 0.005
"""Entries of that long share one fsync."""
BUSY_ENTRIES, BUSY_GROUP_SECONDS = 8, 0.02
"""After a group of so many entries the next one takes that long: a group costs as much CPU as five calls."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag=str.lower):
    """A line of the book. `at` is the carrier's clock in milliseconds UTC."""

    at: int


class Accepted(Entry, frozen=True, kw_only=True):
    """An order got its waybill. `answered`: whether the answer was let through in time to the caller."""

    order_id: str
    waybill_no: str
    answered: bool


class Refused(Entry, frozen=True, kw_only=True):
    """An order is out of the carrier's range."""

    order_id: str
    answered: bool


class Cancelled(Entry, frozen=True, kw_only=True):
    """An order was cancelled before its parcel was collected."""

    order_id: str
    answered: bool


class Moved(Entry, frozen=True, kw_only=True):
    """A parcel reached its next step: the route that is then reported."""

    order_id: str
    step: int
    op_code: str
    route_id: str


class Reported(Entry, frozen=True, kw_only=True):
    """Pushes were acknowledged for these orders, up to these steps."""

    steps: list[tuple[str, int]]


AnyEntry = Accepted | Refused | Cancelled | Moved | Reported
_LINE: msgspec.json.Decoder[AnyEntry] = msgspec.json.Decoder(AnyEntry)
_ENCODER = msgspec.json.Encoder()


class Book:
    """The open book. One process writes it; `run` must run for as long as entries are added."""

    def __init__(self, file: BufferedRandom) -> None:
        self._file = file
        self._lines = bytearray()
        self._entries = 0
        """Entries that are not known to be on the disk."""
        self._group: list[Callable[[], None]] = []
        """What is done once all that was added is on the disk."""
        self._wanted = asyncio.Event()

    def add(self, entry: AnyEntry) -> None:
        """Add an entry to the group that is written next."""
        _ENCODER.encode_into(entry, self._lines, -1)
        self._lines += b"\n"
        self._entries += 1
        self._wanted.set()

    def when_durable(self, then: Callable[[], None]) -> None:
        """Do something once all that was added so far is on the disk: at once, if it is. It must not raise."""
        if self._entries:
            self._group.append(then)
        else:
            then()

    async def durable(self) -> None:
        """Wait until all that was added so far is on the disk."""
        written = asyncio.Event()
        self.when_durable(written.set)
        await written.wait()

    async def run(self) -> None:
        """Write group after group, each with one fsync. Raises OSError when the disk does not take one.

        The loop waits for the disk, as every answer would anyway: a thread for that costs more CPU than the fsync.
        """
        pause = GROUP_SECONDS
        while True:
            await self._wanted.wait()
            await asyncio.sleep(pause)
            pause = GROUP_SECONDS if self._entries < BUSY_ENTRIES else BUSY_GROUP_SECONDS
            self._write()
            group, self._group = self._group, []
            for then in group:
                then()

    def close(self) -> None:
        """Write what is left and let go of the file."""
        self._write()
        self._file.close()

    def _write(self) -> None:
        lines, self._lines = self._lines, bytearray()
        self._file.write(lines)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._entries = 0
        self._wanted.clear()


def open_book(path: Path) -> tuple[Book, list[AnyEntry]]:
    """Open a book and read what is in it. A last line that a crash cut short is cut off: nobody was answered for it.

    Raises SetupError when another process has the book open, or when a line of it is not an entry.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with ExitStack() as unless_opened:
        file = unless_opened.enter_context(path.open("r+b"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            message = f"{path}: another sandbox has this book open"
            raise SetupError(message) from error
        whole, cut, _ = file.read().rpartition(b"\n")
        entries = [_read_line(path, number, line) for number, line in enumerate(whole.split(b"\n"), 1) if line]
        file.seek(len(whole) + len(cut))
        file.truncate()
        unless_opened.pop_all()
    return Book(file), entries


def _read_line(path: Path, number: int, line: bytes) -> AnyEntry:
    try:
        return _LINE.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"{path}:{number}: not an entry of the book: {error}"
        raise SetupError(message) from error
