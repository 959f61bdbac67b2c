from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.events import HoldPlaced, OrderCreated
from pipeline.domain.orders import SkuUnits
from pipeline.domain.shipping_events import OrderRouted, RoutePart, ShelfStocked, ShipmentMoved
from sinks.rows import COLUMN_NAMES, COLUMNS, UNREADABLE, row
from sinks.store import schema_statements

if TYPE_CHECKING:
    from collections.abc import Callable

CREATED = OrderCreated(
    order_id="o1",
    at=1_490_000_000_000,
    rule_version="r7",
    channel="taobao",
    shop_id="s1",
    platform_order_id="p1",
    pool="brand",
    lines=2,
    units=3,
    paid_minor=-5,
    currency="CNY",
)


def _cells(value: bytes | None) -> dict[str, object]:
    return dict(zip(COLUMN_NAMES, row("order.events", 3, 1042, 1_700_000_000_123, value), strict=True))


def test_every_dimension_of_an_event_is_a_column(encoded: Callable[..., bytes]) -> None:
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
        "appended_at": 1_700_000_000_123,
        "outbound": False,
        "facts": value,
    }
    del expected["from"], expected["to"]
    assert _cells(value) == expected


def test_a_correction_that_takes_units_away_is_a_row_like_any_other(encoded: Callable[..., bytes]) -> None:
    taken = ShelfStocked(at=1, pool="p", warehouse="w", units=(SkuUnits("A", -5),))
    cells = _cells(encoded(taken, "routing", "c-0-0"))
    assert (cells["event"], cells["units"]) == ("ShelfStocked", -5)


def test_lists_of_units_and_parts_become_their_numbers(encoded: Callable[..., bytes]) -> None:
    units = (SkuUnits("A", 2), SkuUnits("B", 40))
    held = _cells(encoded(HoldPlaced(at=1, pool="p", units=units), "reservation", "c-0-0"))
    parts = tuple(RoutePart(fulfilment_id=f"o-{n}", warehouse="w", units=units) for n in (1, 2, 3))
    routed = _cells(encoded(OrderRouted(at=1, pool="p", parts=parts, scores=()), "routing", "c-0-0"))
    assert (held["units"], routed["parts"]) == (42, 3)


def test_the_first_sign_of_leaving_is_a_flag(encoded: Callable[..., bytes]) -> None:
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
    cells = _cells(encoded(moved, "tracking", "c-0-0"))
    assert (cells["outbound"], cells["parts"], cells["waybill_no"]) == (True, 2, "SF1")


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"not json",
        b"[]",
        b'{"id":"","stage":"s","cause":"c","event":"E","at":1}',
        b'{"id":"i","stage":"s","cause":"c","event":"E","at":-1}',
        b'{"id":"i","stage":"s","cause":"c","event":"E","at":1,"parts":65536}',
        b'{"id":"i","stage":"s","cause":"c","event":"E","at":1,"units":[["A",1.5]]}',
        b'{"id":"i","stage":"\xff","cause":"c","event":"E","at":1}',
        b'{"id":"i","stage":"s","cause":"c","event":"E","at":1,"pool":' + b"[" * 100_000,
    ],
)
def test_a_record_that_is_no_event_keeps_its_place_and_its_bytes(value: bytes | None) -> None:
    cells = _cells(value)
    assert (cells["event"], cells["id"], cells["cause"]) == (UNREADABLE, "order.events-3-1042-0", "order.events-3-1042")
    assert (cells["at"], cells["appended_at"], cells["facts"]) == (1_700_000_000_123, 1_700_000_000_123, value or b"")


@given(st.binary(max_size=200))
def test_any_bytes_give_a_row(value: bytes) -> None:
    assert len(row("order.events", 0, 0, 0, value)) == len(COLUMNS)


def test_the_columns_are_those_of_the_table() -> None:
    declared = re.findall(r"^    `(\w+)` (\w+(?:\([^)]*\))?)", schema_statements()[0], re.MULTILINE)
    assert declared == [(column.name, column.type) for column in COLUMNS]
