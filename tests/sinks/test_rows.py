"""ClickHouse reads an event's columns from its JSON; a record that is no event keeps its place and its bytes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.events import HoldPlaced, OrderCreated
from pipeline.domain.orders import SkuUnits
from pipeline.domain.shipping_events import OrderRouted, RoutePart, ShelfStocked, ShipmentMoved
from sinks.blocks import make_block
from sinks.log import LogRecord
from sinks.rows import EventFacts, read
from sinks.store import open_store, schema_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sinks.store import Store

APPENDED_MS = 1_700_000_000_123
CREATED = OrderCreated(
    order_id="o1",
    at=1_490_000_000_000,
    rule_version="r7",
    channel="taobao",
    shop_id="s1",
    platform_order_id='p"1\\仓',
    pool="brand",
    lines=2,
    units=3,
    paid_minor=-5,
    currency="CNY",
)
NO_EVENTS = [
    None,
    b"",
    b"not json",
    b"[]",
    b'["i","o","s","E","","","c",1]',
    b'{"id":"","stage":"s","cause":"c","event":"E","at":1}',
    b'{"id":"i","stage":"s","cause":"c","event":"E","at":-1}',
    b'{"id":"i","stage":"s","cause":"c","event":"E","at":1,"parts":65536}',
    b'{"id":"i","stage":"s","cause":"c","event":"E","at":1,"pool":5}',
    b'{"id":"i","stage":"s","cause":"c","event":"E","at":1,"units":[["A",1.5]]}',
    b'{"id":"i","stage":"\xff","cause":"c","event":"E","at":1}',
    b'{"id":"i","stage":"s","cause":"c","event":"E","at":1,"pool":' + b"[" * 100_000,
]
UNLIKE = [
    b'{"id":"i","stage":"s","cause":"c","event":"E","at":1,"note":"\xff"}',
    b'{"id":"i","stage":"s","cause":"c","event":"E","at":1,"note":' + b"[" * 1100 + b"]" * 1100 + b"}",
]
"""What one reader of JSON takes and another may not."""


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    store = open_store(database)
    store.apply_schema(schema_statements())
    yield store
    store.close()


def _cells(store: Store, *values: bytes | None) -> list[dict[str, Any]]:
    """Store values as the records of partition 3 from offset 1042 on, and give their rows."""
    store.insert(make_block([LogRecord(3, 1042 + n, APPENDED_MS, value) for n, value in enumerate(values)]), "a")
    names = [
        name
        for (name,) in store.query(
            "SELECT name FROM system.columns WHERE table = 'order_events' "
            "AND database = currentDatabase() AND default_kind != 'EPHEMERAL' ORDER BY position"
        )
    ]
    columns = ", ".join(f"hex({name}) AS {name}" if name == "facts" else f"`{name}`" for name in names)
    rows = store.query(f"SELECT {columns} FROM order_events ORDER BY offset")  # noqa: S608
    return [dict(zip(names, row, strict=True)) | {"facts": bytes.fromhex(row[names.index("facts")])} for row in rows]


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None)


@pytest.mark.system
def test_every_dimension_of_an_event_is_a_column(store: Store, encoded: Callable[..., bytes]) -> None:
    value = encoded(CREATED, "dedup", "order.commands-1-7")
    expected = {
        **dict.fromkeys(("fulfilment_id", "warehouse", "carrier", "waybill_no", "reason", "kind"), ""),
        **dict.fromkeys(("parts", "index"), 0),
        **msgspec.to_builtins(CREATED),
        "topic": "order.events",
        "partition": 3,
        "offset": 1042,
        "id": "order.commands-1-7-0",
        "stage": "dedup",
        "cause": "order.commands-1-7",
        "from_state": "received",
        "to_state": "await_pay",
        "at": _moment(1_490_000_000_000),
        "appended_at": _moment(APPENDED_MS),
        "outbound": False,
        "facts": value,
    }
    del expected["from"], expected["to"]
    assert _cells(store, value) == [expected]


@pytest.mark.system
def test_lists_are_counted_and_the_first_sign_of_leaving_is_a_flag(store: Store, encoded: Callable[..., bytes]) -> None:
    units = (SkuUnits("A", 2), SkuUnits("B", 40))
    parts = tuple(RoutePart(fulfilment_id=f"o-{n}", warehouse="w", units=units) for n in (1, 2, 3))
    moved = ShipmentMoved(
        at=1,
        fulfilment_id="o-1",
        carrier="sf",
        waybill_no="SF1",
        report_id="r",
        code="50",
        place="",
        parts=2,
        outbound=True,
    )
    events = (
        ShelfStocked(at=1, pool="p", warehouse="w", units=(SkuUnits("A", -5),)),
        HoldPlaced(at=1, pool="p", units=units),
        OrderRouted(at=1, pool="p", parts=parts, scores=()),
        moved,
    )
    cells = _cells(store, *(encoded(event, "s", f"c-0-{n}") for n, event in enumerate(events)))
    columns = ("event", "units", "parts", "outbound", "waybill_no")
    assert [tuple(row[name] for name in columns) for row in cells] == [
        ("ShelfStocked", -5, 0, False, ""),
        ("HoldPlaced", 42, 0, False, ""),
        ("OrderRouted", 0, 3, False, ""),
        ("ShipmentMoved", 0, 2, True, "SF1"),
    ]


@pytest.mark.system
def test_the_largest_values_are_columns_too(store: Store) -> None:
    most = EventFacts(
        id="i",
        stage="",
        event="E",
        cause="",
        at=7_258_118_400_000,
        parts=65_535,
        lines=2**32 - 1,
        units=-(2**63 - 1),
        paid_minor=2**63 - 1,
    )
    (cells,) = _cells(store, msgspec.json.encode(most))
    assert (cells["id"], cells["at"]) == ("i", datetime(2200, 1, 1))  # noqa: DTZ001 - as the client gives it
    assert tuple(cells[name] for name in ("parts", "lines", "units", "paid_minor")) == (
        most.parts,
        most.lines,
        most.units,
        most.paid_minor,
    )


@pytest.mark.system
def test_a_record_that_is_no_event_keeps_its_place_and_its_bytes(store: Store) -> None:
    values = [*NO_EVENTS, *UNLIKE]
    cells = _cells(store, *values)
    assert [row["event"] for row in cells[: len(NO_EVENTS)]] == ["Unreadable"] * len(NO_EVENTS)
    for number, (row, value) in enumerate(zip(cells, values, strict=True)):
        source = f"order.events-3-{1042 + number}"
        assert (row["facts"], row["appended_at"]) == (value or b"", _moment(APPENDED_MS))
        if row["event"] == "Unreadable":
            assert (row["id"], row["cause"], row["at"]) == (f"{source}-0", source, _moment(APPENDED_MS))
            assert (row["order_id"], row["pool"], row["units"], row["parts"]) == ("", "", 0, 0)
        else:
            assert (row["id"], row["event"]) == ("i", "E")


@pytest.mark.parametrize("value", NO_EVENTS)
def test_what_is_no_event_is_not_read(value: bytes | None) -> None:
    assert read(value) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_not(value: bytes) -> None:
    assert make_block([LogRecord(0, 0, 0, value)]).are_events == [read(value) is not None]


def test_what_is_read_of_an_event_is_what_is_a_column() -> None:
    sql = schema_statements()[1]
    taken = {
        name.strip("`") for name in re.findall(r"(`?\w+`?) (?:String|Int64|UInt32|Bool)\b", sql.split("EPHEMERAL")[2])
    }
    assert taken == {field.encode_name for field in msgspec.structs.fields(EventFacts)}
