"""What a chaos run writes down while it goes on: a line for each fault that is over (`faults.jsonl`)."""

from __future__ import annotations

import os
import threading
from typing import IO, TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

FAULTS_FILE = "faults.jsonl"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A fault as it was: what it was done to, from when to when (ms UTC), whether it hit, and what shows it."""

    number: int
    kind: str
    target: str
    at_ms: int
    healed_ms: int
    hit: bool
    evidence: str
    counts: dict[str, int | float]
    params: dict[str, int | float | str]
    attempts: int = 1
    """How often it was tried: a fault that did not hit may be done again."""
    missed: list[str] = []
    """What the attempts before the last one show: none of them hit."""


class Ledger:
    """The open ledger. Any thread may add to it."""

    def __init__(self, run_dir: Path) -> None:
        self.entries: list[Entry] = []
        self._file: IO[bytes] = (run_dir / FAULTS_FILE).open("ab")
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        """Add a fault that is over; it is on the disk when this returns."""
        with self._lock:
            self.entries.append(entry)
            self._file.write(msgspec.json.encode(entry) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
