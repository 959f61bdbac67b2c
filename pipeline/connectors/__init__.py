"""The connectors: what a platform pushes becomes a command in our words. One module a platform.

The record header `platform` names the format: `generic-json` (also where there is no such header), `generic-csv`,
`shopify`. Whatever cannot be understood raises PoisonError, and nothing else does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.connectors import csv_invoice, generic, shopify
from pipeline.connectors.payload import Payload
from pipeline.domain import reasons
from pipeline.domain.commands import SubmitOrder
from pipeline.domain.memory import AHEAD_MS_MAX
from pipeline.errors import PoisonError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.connectors.payload import RawRecord, Reference
    from pipeline.domain.ingest import Arrival

ORDER_PAYLOAD_BYTES_MAX = 1024 * 1024
"""A larger payload is a dead letter. An order of ORDER_LINES_MAX lines takes about a tenth of it."""
DEFAULT_PLATFORM = b"generic-json"
PLATFORMS: Mapping[bytes, Callable[[Payload, Reference], Arrival]] = {
    b"generic-json": generic.translate,
    b"generic-csv": csv_invoice.translate,
    b"shopify": shopify.translate,
}


def translate(record: RawRecord, reference: Reference) -> Sequence[Arrival]:
    """Translate a raw record. Raises PoisonError, which says what is wrong and in which field."""
    value = record.value
    if not value:
        raise PoisonError(reasons.EMPTY, "the record has no value")
    if len(value) > ORDER_PAYLOAD_BYTES_MAX:
        message = f"the payload has {len(value):,} bytes, {ORDER_PAYLOAD_BYTES_MAX:,} are the most"
        raise PoisonError(reasons.OVERSIZED, message)
    headers = record.headers or ()
    platform = _platform(headers)
    connector = PLATFORMS.get(platform)
    if connector is None:
        known = ", ".join(name.decode() for name in PLATFORMS)
        message = f"no connector for {platform[:100].decode(errors='replace')!r}; there are {known}"
        raise PoisonError(reasons.UNKNOWN_PLATFORM, message, "headers.platform")
    arrival = connector(Payload(value, headers, record.source), reference)
    _check_dates(arrival, record.timestamp_ms)
    return (arrival,)


def _platform(headers: Sequence[tuple[str, bytes]]) -> bytes:
    for name, text in headers:
        if name == "platform":
            return text or DEFAULT_PLATFORM
    return DEFAULT_PLATFORM


def _check_dates(arrival: Arrival, appended_ms: int) -> None:
    """Refuse what is dated in the future: it would still be new when its entry is forgotten. Raises PoisonError."""
    command = arrival.command
    field, at = "at", command.at
    created_at = at
    if isinstance(command, SubmitOrder):
        field, created_at = "updated_at", command.order.created_at
        if created_at > at + AHEAD_MS_MAX:
            message = f"{created_at} is more than a day after updated_at, {at}"
            raise PoisonError(reasons.INVALID, message, "created_at")
    latest = appended_ms + AHEAD_MS_MAX
    if appended_ms <= 0 or (at <= latest and created_at <= latest):
        return
    field, date = (field, at) if at > latest else ("created_at", created_at)
    message = f"{date} is more than a day after the record came, at {appended_ms} (milliseconds UTC)"
    raise PoisonError(reasons.INVALID, message, field)
