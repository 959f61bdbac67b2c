"""Recorded orders: a file of JSON lines, one a record of a topic of raw orders, in the order of their times.

    {"at_seconds": 0.25, "key": "A-1", "value": "{…}", "headers": {"platform": "generic-json"}}

`at_seconds` counts from the first record. What is no UTF-8 text is told in base64: `"value": {"base64": "/w=="}`. A
record without a value has none. When a load generator was to send a record is not recorded; what it expects of it is.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from loadtest.payloads import PLATFORM
from loadtest.scenario import TimedRecord
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from confluent_kafka import Message

EXPECT, PLATFORM_HEADER, INTENDED_MS = "expect", "platform", "intended-ms"


class Binary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bytes that are no UTF-8 text."""

    base64: bytes


Told = str | Binary


class Recorded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A line of the file."""

    at_seconds: Annotated[float, Meta(ge=0)]
    key: Told = ""
    value: Told | None = None
    headers: dict[str, Told] = {}


DECODER = msgspec.json.Decoder(Recorded)


def write_recording(records: Iterable[Message], file: IO[bytes]) -> int:
    """Write the records of a topic by the broker's time. Gives their number."""
    ordered = sorted(records, key=lambda record: (record.timestamp()[1], record.partition(), record.offset()))
    begin_ms = ordered[0].timestamp()[1] if ordered else 0
    for record in ordered:
        file.write(msgspec.json.encode(_recorded(record, begin_ms)) + b"\n")
    return len(ordered)


def _recorded(record: Message, begin_ms: int) -> Recorded:
    value, key = record.value(), record.key()
    headers = {pair[0]: _told(pair[1] or b"") for pair in record.headers() or () if pair[0] != INTENDED_MS}
    return Recorded(
        at_seconds=(record.timestamp()[1] - begin_ms) / 1000,
        key=_told(key or b""),
        value=None if value is None else _told(value),
        headers=headers,
    )


def _told(raw: bytes | str) -> Told:
    if isinstance(raw, str):
        return raw
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return Binary(raw)


def _raw(told: Told) -> bytes:
    return told.base64 if isinstance(told, Binary) else told.encode()


def read_recording(path: Path, speed: float) -> list[TimedRecord]:
    """Read what was recorded, to be sent `speed` times as fast. Raises SettingsError with file, line, field and why."""
    try:
        with path.open("rb") as file:
            records = [_read(line, f"{path}: line {number}", speed) for number, line in enumerate(file, 1)]
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise SettingsError(message) from error
    if not records:
        message = f"{path}: there is no record in it"
        raise SettingsError(message)
    return sorted(records, key=lambda record: record.offset_seconds)


def _read(line: bytes, place: str, speed: float) -> TimedRecord:
    try:
        recorded = DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text, _, field = str(error).partition(" - at `$.")
        message = f"{place}: {field.rstrip('`')}: {text}" if field else f"{place}: {text}"
        raise SettingsError(message) from error
    headers = {name: _raw(told) for name, told in recorded.headers.items()}
    return TimedRecord(
        recorded.at_seconds / speed,
        _raw(recorded.key),
        None if recorded.value is None else _raw(recorded.value),
        platform=headers.pop(PLATFORM_HEADER, PLATFORM.encode()).decode(errors="replace"),
        expect=headers.pop(EXPECT, b"").decode(errors="replace"),
        headers=tuple(headers.items()),
    )
