"""An event's record → its row in `order_events`. Pure; the columns are those of schema/1_order_events.sql, in order.

A record that is no event becomes a row too, with the event `Unreadable` and its bytes in `facts`: the rows are as many
as the topic's records, and what was written there can be looked at.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import msgspec

UNREADABLE = "Unreadable"
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


class Column(NamedTuple):
    """A column: its name, and the ClickHouse type that its values are sent as (the table's own may be narrower)."""

    name: str
    type: str


COLUMNS = (
    Column("topic", "LowCardinality(String)"),
    Column("partition", "UInt32"),
    Column("offset", "UInt64"),
    Column("index", "UInt16"),
    Column("id", "String"),
    Column("order_id", "String"),
    Column("stage", "LowCardinality(String)"),
    Column("event", "LowCardinality(String)"),
    Column("from_state", "LowCardinality(String)"),
    Column("to_state", "LowCardinality(String)"),
    Column("cause", "String"),
    Column("at", "DateTime64(3, 'UTC')"),
    Column("appended_at", "DateTime64(3, 'UTC')"),
    Column("rule_version", "LowCardinality(String)"),
    Column("channel", "LowCardinality(String)"),
    Column("shop_id", "LowCardinality(String)"),
    Column("platform_order_id", "String"),
    Column("pool", "LowCardinality(String)"),
    Column("fulfilment_id", "String"),
    Column("warehouse", "LowCardinality(String)"),
    Column("carrier", "LowCardinality(String)"),
    Column("waybill_no", "String"),
    Column("reason", "LowCardinality(String)"),
    Column("kind", "LowCardinality(String)"),
    Column("parts", "UInt16"),
    Column("lines", "UInt32"),
    Column("units", "Int64"),
    Column("paid_minor", "Int64"),
    Column("currency", "LowCardinality(String)"),
    Column("outbound", "Bool"),
    Column("facts", "String"),
)
COLUMN_NAMES = tuple(column.name for column in COLUMNS)

Row = tuple[Any, ...]
"""One value for each of COLUMNS; times in milliseconds UTC, `facts` in bytes."""


class EventFacts(msgspec.Struct, gc=False, rename={"from_state": "from", "to_state": "to"}):
    """What of an event is a column; the rest stays in `facts`, unread."""

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


def row(topic: str, partition: int, offset: int, appended_ms: int, value: bytes | None) -> Row:
    """Give the row of one record of order.events; `appended_ms` is the broker's time in milliseconds UTC."""
    facts = read(value)
    if facts is None:
        return _unreadable(topic, partition, offset, appended_ms, value)
    parts = facts.parts
    units = facts.units
    return (
        topic,
        partition,
        offset,
        0,
        facts.id,
        facts.order_id,
        facts.stage,
        facts.event,
        facts.from_state,
        facts.to_state,
        facts.cause,
        facts.at,
        appended_ms,
        facts.rule_version or "",
        facts.channel,
        facts.shop_id,
        facts.platform_order_id,
        facts.pool,
        facts.fulfilment_id,
        facts.warehouse,
        facts.carrier,
        facts.waybill_no,
        facts.reason,
        facts.kind,
        parts if isinstance(parts, int) else len(parts),
        facts.lines,
        units if isinstance(units, int) else sum([count for _, count in units]),
        facts.paid_minor,
        facts.currency,
        facts.outbound,
        value,
    )


def _unreadable(topic: str, partition: int, offset: int, appended_ms: int, value: bytes | None) -> Row:
    source = f"{topic}-{partition}-{offset}"
    known = {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "id": f"{source}-0",
        "event": UNREADABLE,
        "cause": source,
        "at": appended_ms,
        "appended_at": appended_ms,
        "facts": value or b"",
    }
    return tuple(known.get(column.name, "" if "String" in column.type else 0) for column in COLUMNS)
