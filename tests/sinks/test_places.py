from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from loadtest.oracle import placed
from loadtest.oracle.telling import tell
from pipeline.domain.events import HoldPlaced, OrderCreated
from pipeline.domain.shipping_events import WaybillIssued
from sinks.batches import gather
from sinks.log import LogRecord
from sinks.places import ORDER_STATE_EVENTS, folded, place_of
from sinks.rows import TIME_MS_MAX
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


TEXTS = ("channel", "shop_id", "platform_order_id", "pool", "currency", "carrier", "waybill_no", "warehouse", "to")
TOLD = st.fixed_dictionaries(
    {
        "stage": st.sampled_from(("dedup", "waybill", "tracking")),
        "event": st.sampled_from((*sorted(ORDER_STATE_EVENTS), "WaybillIssued", "ShipmentMoved")),
        "at": st.integers(0, TIME_MS_MAX),
    },
    optional={"fulfilment_id": st.sampled_from(("", "o1-1", "o1-2")), "units": st.just([["a", 1]])}
    | dict.fromkeys(TEXTS, st.text(max_size=3)),
)
"""An event of an order, as it is on the wire."""


def _records(encoded: Callable[..., bytes], *told: tuple[str, Event]) -> list[LogRecord]:
    return [LogRecord(1, n, 0, encoded(event, stage, f"c-0-{n}")) for n, (stage, event) in enumerate(told)]


def test_a_place_is_the_fold_of_its_order_s_events(encoded: Callable[..., bytes]) -> None:
    held = HoldPlaced(order_id="o1", at=2, pool="brand", units=())
    records = _records(encoded, ("dedup", CREATED), ("reservation", held), ("waybill", ISSUED))
    batch = gather(records)
    assert (batch.events, batch.offsets) == (3, {1: 2})
    assert describe("o1", Found("redis", place_of([batch.entries["o1"].decode()]))) == {
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


@given(st.lists(TOLD, min_size=1, max_size=8), st.integers(0, 8), st.integers(1, 8))
def test_a_place_is_what_an_independent_reader_tells(told: list[dict[str, object]], fold_at: int, batch: int) -> None:
    # However the events come in batches, and wherever the place was folded on the way.
    wanted: dict[str, str] = {}
    entries: list[str] = []
    for begin in range(0, len(told), batch):
        events = list(enumerate(told))[begin : begin + batch]
        for offset, event in events:
            tell(wanted, event, 1, offset)
        records = [LogRecord(1, n, 0, msgspec.json.encode({**event, "order_id": "o1"})) for n, event in events]
        entries.append(gather(records).entries["o1"].decode())
        if begin <= fold_at:
            entries = [folded(place_of(entries)).decode()]
    assert place_of(entries) == placed.place_of(entries) == wanted


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
    batch = gather([LogRecord(0, 4, 0, b"?"), LogRecord(0, 5, 0, about_stock)])
    assert (batch.entries, batch.offsets, batch.events) == ({}, {0: 5}, 1)


def test_the_schema_names_the_same_events_that_give_an_order_s_state() -> None:
    listed = re.search(r"WITH \((.*?)\) AS order_state_events", schema_statements()[2], re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"'(\w+)'", listed[1])) == ORDER_STATE_EVENTS
