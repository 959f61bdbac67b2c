"""Raw records for the connectors' tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.connectors import translate
from pipeline.connectors.payload import Reference
from pipeline.engine.stage import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.domain.ingest import Arrival

REFERENCE = Reference({"s1": "brand"}, (b"hush",))


def record(value: bytes | None, /, **headers: bytes) -> Record:
    """Give a raw record without a time; an underscore in a header's name stands for a hyphen."""
    told = [(name.replace("_", "-"), text) for name, text in headers.items()]
    return Record("orders.raw", 1, 7, 0, None, value, told)


def translated(value: bytes | None, reference: Reference = REFERENCE, /, **headers: bytes) -> Arrival:
    """Translate one record."""
    (arrival,) = translate(record(value, **headers), reference)
    return arrival


def json_bytes(fields: Mapping[str, Any]) -> bytes:
    """Write JSON."""
    return msgspec.json.encode(fields)
