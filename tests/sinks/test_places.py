from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from pipeline.domain.events import HoldPlaced, OrderCreated
from pipeline.domain.shipping_events import WaybillIssued
from sinks.log import LogRecord
from sinks.places import ORDER_STATE_EVENTS
from sinks.redis import ORDERS_PER_BATCH_MAX, gather
from sinks.status import Found, as_text, describe
from sinks.store import schema_statements

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.domain.events import Event

CREATED = OrderCreated(
    order_id="o1",
    at=1,
    channel="taobao",
    shop_id="s1",
    platform_order_id="p1",
    pool="brand",
    lines=1,
    units=1,
    paid_minor=100,
    currency="CNY",
)
ISSUED = WaybillIssued(
    order_id="o1", at=3, fulfilment_id="o1-1", warehouse="w1", carrier="sf", key="k", waybill_no="SF1"
)


def _records(encoded: Callable[..., bytes], *told: tuple[str, Event]) -> list[LogRecord]:
    return [LogRecord(1, n, 0, encoded(event, stage, f"c-0-{n}")) for n, (stage, event) in enumerate(told)]


def test_a_place_is_the_fold_of_its_order_s_events(encoded: Callable[..., bytes]) -> None:
    held = HoldPlaced(order_id="o1", at=2, pool="brand", units=())
    records = _records(encoded, ("dedup", CREATED), ("reservation", held), ("waybill", ISSUED))
    batch, taken = gather(records)
    assert (taken, batch.events, batch.offsets) == (3, 3, {1: 2})
    assert describe("o1", Found("redis", batch.places["o1"])) == {
        "order_id": "o1",
        "source": "redis",
        "partition": 1,
        "offset": 2,
        "event": "WaybillIssued",
        "stage": "waybill",
        "at": 3,
        "state": "locked",
        "channel": "taobao",
        "shop_id": "s1",
        "platform_order_id": "p1",
        "pool": "brand",
        "currency": "CNY",
        "stages": {"dedup": "await_pay", "reservation": "locked", "waybill": "issued"},
        "parts": {"o1-1": {"state": "issued", "carrier": "sf", "waybill_no": "SF1", "warehouse": "w1"}},
    }


def test_a_place_is_shown_as_lines() -> None:
    shown = {"order_id": "o1", "at": 0, "stages": {}, "parts": {"o1-1": {"state": "issued", "carrier": "sf"}}}
    assert as_text(shown).splitlines() == [
        "order_id: o1",
        "at: 1970-01-01T00:00:00.000+00:00",
        "parts:",
        "  o1-1: state=issued carrier=sf",
    ]


def test_unreadable_records_and_events_about_stock_only_move_the_offset(encoded: Callable[..., bytes]) -> None:
    about_stock = encoded(HoldPlaced(at=1, pool="p", units=()), "reservation", "c-0-0")
    batch, taken = gather([LogRecord(0, 4, 0, b"?"), LogRecord(0, 5, 0, about_stock)])
    assert (batch.places, batch.offsets, batch.events, taken) == ({}, {0: 5}, 1, 2)


def test_a_batch_is_bounded(encoded: Callable[..., bytes]) -> None:
    created = (msgspec.structs.replace(CREATED, order_id=str(n)) for n in range(ORDERS_PER_BATCH_MAX + 5))
    batch, taken = gather(_records(encoded, *(("dedup", event) for event in created)))
    assert (taken, len(batch.places), batch.offsets) == (1000, 1000, {1: 999})


def test_the_schema_names_the_same_events_that_give_an_order_s_state() -> None:
    listed = re.search(r"WITH \((.*?)\) AS order_state_events", schema_statements()[1], re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"'(\w+)'", listed[1])) == ORDER_STATE_EVENTS
