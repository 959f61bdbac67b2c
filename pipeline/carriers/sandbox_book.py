"""The sandbox's own book: an append-only file of JSON lines, durable before anything is answered.

It is the ground truth for a check from outside: which orders the carrier took, under which number, and what became of
them. No other part of this project writes it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
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
        self._group: list[Callable[[], None]] | None = None
        """What is done once that which was added since the last write is on the disk. None: nothing was added."""
        self._writing: list[Callable[[], None]] | None = None
        self._wanted = asyncio.Event()
        self._writer = ThreadPoolExecutor(1, "book")

    def add(self, entry: AnyEntry) -> None:
        """Add an entry to the group that is written next."""
        _ENCODER.encode_into(entry, self._lines, -1)
        self._lines += b"\n"
        if self._group is None:
            self._group = []
            self._wanted.set()

    def when_durable(self, then: Callable[[], None]) -> None:
        """Do something once all that was added so far is on the disk: at once, if it is. It must not raise."""
        group = self._writing if self._group is None else self._group
        if group is None:
            then()
        else:
            group.append(then)

    async def durable(self) -> None:
        """Wait until all that was added so far is on the disk."""
        written = asyncio.Event()
        self.when_durable(written.set)
        await written.wait()

    async def run(self) -> None:
        """Write group after group, each with one fsync. Raises OSError when the disk does not take one."""
        while True:
            await self._wanted.wait()
            await asyncio.sleep(GROUP_SECONDS)
            self._wanted.clear()
            lines, self._lines = self._lines, bytearray()
            self._writing, self._group = self._group, None
            await asyncio.get_running_loop().run_in_executor(self._writer, self._write, lines)
            written, self._writing = self._writing or (), None
            for then in written:
                then()

    def close(self) -> None:
        """Write what is left and let go of the file."""
        self._writer.submit(self._write, self._lines).result()
        self._writer.shutdown()
        self._file.close()

    def _write(self, lines: bytearray) -> None:
        self._file.write(lines)
        self._file.flush()
        os.fsync(self._file.fileno())


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
