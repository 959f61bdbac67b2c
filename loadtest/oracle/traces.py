"""What a run leaves behind besides its records: offsets, changelogs, and what the chaos around it noted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


class Input(NamedTuple):
    """A record of a stage's input topic, as it lies there. Topics are read partition by partition, in order."""

    partition: int
    offset: int
    value: bytes


class End(NamedTuple):
    """Where a partition ends: for a reader of everything (`high`) and of what is committed (`stable`)."""

    topic: str
    partition: int
    high: int
    stable: int


class Changelog(NamedTuple):
    """What a changelog's partition says of a stage's tables after all of it was read."""

    entries: Mapping[str, bytes]
    """Table and key, joined by a colon → the value in MessagePack."""
    next_offset: int
    forgotten_ms: Mapping[str, int]
    """By table: the event time up to which entries may have been forgotten on purpose."""
    odd: tuple[str, ...]
    """Records that nobody can make sense of."""


class Ack(NamedTuple):
    """A record that the broker acknowledged to the load generator."""

    topic: str
    partition: int
    offset: int
    key: str | None


class FaultLine(msgspec.Struct, frozen=True):
    """A fault of the run's ledger: planned, and whether it hit, with what shows it."""

    number: int
    kind: str
    hit: bool
    target: str = ""
    at_ms: int = 0
    healed_ms: int | None = None
    evidence: str = ""
    counts: dict[str, float] = {}


class FailpointLine(msgspec.Struct, frozen=True):
    """A failpoint that fired, as the process wrote it down before it died."""

    failpoint: str
    pid: int = 0
    hit: int = 0


class Sample(msgspec.Struct, frozen=True):
    """A process at one moment: its resident memory, and the entries of its tables if it has any."""

    at_ms: int
    process: str
    pid: int
    rss_bytes: int
    entries: dict[str, int] = {}


class ReplayedStage(msgspec.Struct, frozen=True):
    """What a replay of a stage's input gave: outputs that differ from those in the topics."""

    stage: str
    records: int
    outputs: int
    differing: int
    first: list[str] = []


class Leak(NamedTuple):
    """A place where a receiver's own words were found, and which."""

    place: str
    word: str


class Scan(NamedTuple):
    """What was looked through for receivers' own words."""

    places: int
    """Records, rows, entries, files."""
    sown: int
    """How often the words were in what the shops sent: with none nothing is proven."""
    leaks: tuple[Leak, ...]


class Faults(NamedTuple):
    """The ledger of a chaos run."""

    faults: tuple[FaultLine, ...] = ()
    failpoints: tuple[FailpointLine, ...] = ()
