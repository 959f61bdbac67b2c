"""What of a record of order.events is a column in ClickHouse, and whether it is an event at all. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

INT64_MAX = 2**63 - 1
TIME_MS_MAX = 7_258_118_400_000
"""The year 2200: DateTime64(3) ends at 2299."""

Count16 = Annotated[int, msgspec.Meta(ge=0, lt=2**16)]
Count32 = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
Count63 = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
Int63 = Annotated[int, msgspec.Meta(ge=-INT64_MAX, le=INT64_MAX)]
Change = Annotated[int, msgspec.Meta(gt=-(2**40), lt=2**40)]
Money = Annotated[int, msgspec.Meta(ge=-INT64_MAX, le=INT64_MAX)]
TimeMs = Annotated[int, msgspec.Meta(ge=0, le=TIME_MS_MAX)]


class EventFacts(msgspec.Struct, gc=False, rename={"from_state": "from", "to_state": "to"}):
    """What schema/1_order_events_columns.sql reads of an event; the rest stays in `facts`, unread."""

    id: Annotated[str, msgspec.Meta(min_length=1)]
    stage: str
    event: Annotated[str, msgspec.Meta(min_length=1)]
    cause: str
    at: TimeMs
    order_id: str = ""
    from_state: str = ""
    to_state: str = ""
    rule_version: str | None = None
    channel: str = ""
    shop_id: str = ""
    platform_order_id: str = ""
    pool: str = ""
    fulfilment_id: str = ""
    warehouse: str = ""
    carrier: str = ""
    waybill_no: str = ""
    reason: str = ""
    kind: str = ""
    parts: Count16 | list[msgspec.Raw] = 0
    lines: Count32 = 0
    units: Int63 | list[tuple[str, Change]] = 0
    paid_minor: Money = 0
    currency: str = ""
    outbound: bool = False


_decode = msgspec.json.Decoder(EventFacts).decode


def read(value: bytes | None) -> EventFacts | None:
    """Read a record of order.events; None where it is no event."""
    try:
        return _decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
