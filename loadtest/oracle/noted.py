"""Read what a chaos run noted of itself, from its run directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from loadtest.oracle.traces import Ack, FailpointLine, FaultLine, Faults, ReplayedStage, Sample
from pipeline.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

T = TypeVar("T")
ARRAY_OF_4, NIL, SHORT_TEXT = 0x94, 0xC0, 0xA0
NUMBERS = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
"""MessagePack's unsigned integers, with how many bytes they take."""
TEXTS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
"""MessagePack's texts, with how many bytes their length takes."""
SHORT_NUMBER_MAX = 0x7F
SHORT_TEXT_MAX = 0xBF


class _Replay(msgspec.Struct):
    stages: list[ReplayedStage]


def read_acks(run_dir: Path) -> list[Ack]:
    """Read what the broker acknowledged. Raises OSError, TransientError."""
    try:
        return list(acks((run_dir / "acks.msgpack").read_bytes()))
    except ValueError as error:
        message = f"acks.msgpack: {error}"
        raise TransientError(message) from error


def acks(packed: bytes) -> Iterator[Ack]:
    """Give acknowledgements: arrays [topic, partition, offset, key], one after the other, the last one perhaps cut.

    Raises ValueError for anything else.
    """
    at = 0
    while at < len(packed):
        if packed[at] != ARRAY_OF_4:
            message = f"no array of four begins at byte {at}"
            raise ValueError(message)
        at += 1
        values: list[str | int | None] = []
        try:
            for _ in range(4):
                value, at = _value(packed, at)
                values.append(value)
        except IndexError:
            return
        match values:
            case [str() as topic, int() as partition, int() as offset, (str() | None) as key]:
                yield Ack(topic, partition, offset, key)
            case _:
                message = f"{values} is no acknowledgement"
                raise ValueError(message)


def _value(packed: bytes, at: int) -> tuple[str | int | None, int]:
    """Give a value and where the next one begins. Raises IndexError where it is cut."""
    kind = packed[at]
    if kind <= SHORT_NUMBER_MAX:
        return kind, at + 1
    if kind == NIL:
        return None, at + 1
    if kind in NUMBERS:
        end = at + 1 + NUMBERS[kind]
        return int.from_bytes(_cut(packed, at + 1, end)), end
    if SHORT_TEXT <= kind <= SHORT_TEXT_MAX:
        begin, size = at + 1, kind - SHORT_TEXT
    elif kind in TEXTS:
        begin = at + 1 + TEXTS[kind]
        size = int.from_bytes(_cut(packed, at + 1, begin))
    else:
        message = f"byte {at} begins no number, text or nil"
        raise ValueError(message)
    return _cut(packed, begin, begin + size).decode(), begin + size


def _cut(packed: bytes, begin: int, end: int) -> bytes:
    if end > len(packed):
        raise IndexError(end)
    return packed[begin:end]


def read_faults(run_dir: Path) -> Faults:
    """Read the ledger, and the failpoints that fired. Raises OSError, TransientError."""
    faults = _lines(run_dir / "faults.jsonl", FaultLine)
    fired = run_dir / "failpoints.jsonl"
    return Faults(tuple(faults), tuple(_lines(fired, FailpointLine)) if fired.exists() else ())


def read_samples(run_dir: Path) -> list[Sample]:
    """Read the samples of the processes. Raises OSError, TransientError."""
    return _lines(run_dir / "samples.jsonl", Sample)


def read_replay(run_dir: Path) -> list[ReplayedStage]:
    """Read the result of the replay. Raises OSError, TransientError."""
    try:
        return msgspec.json.decode((run_dir / "replay.json").read_bytes(), type=_Replay).stages
    except msgspec.MsgspecError as error:
        message = f"replay.json: {error}"
        raise TransientError(message) from error


def _lines(path: Path, kind: type[T]) -> list[T]:
    """Read whole lines of JSON; one that was cut short by a crash is none."""
    decode = msgspec.json.Decoder(kind).decode
    whole = path.read_bytes().rpartition(b"\n")[0]
    try:
        return [decode(line) for line in whole.split(b"\n") if line]
    except msgspec.MsgspecError as error:
        message = f"{path.name}: {error}"
        raise TransientError(message) from error
