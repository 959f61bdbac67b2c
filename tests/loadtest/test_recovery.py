"""The recovery measurement: its tables are those that the real stages leave, and its judgement can fail."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from aiokafka.partitioner import murmur2 as kafkas_murmur2
from hypothesis import given
from hypothesis import strategies as st

from loadtest.recovery.filling import Filled
from loadtest.recovery.murmur import SIGN, murmur2, partition_of
from loadtest.recovery.orders import read_window, repeat
from loadtest.recovery.remembered import Remembered
from loadtest.recovery.restart import Restart, time_of
from loadtest.recovery.restoring import Restored, TableSize
from loadtest.recovery.showing import judge
from pipeline.domain.orders import order_of
from pipeline.domain.tracking.state import Status
from pipeline.engine.live import PagedTable
from pipeline.engine.pages import unpack_key
from pipeline.settings import Settings

if TYPE_CHECKING:
    from typing import Any

    from loadtest.recovery.orders import Window

ORDERS, OPEN = 120, 40


@pytest.fixture(scope="module")
def window() -> Window:
    return read_window(ORDERS, 7)


@pytest.fixture(scope="module")
def remembered(window: Window) -> Remembered:
    found = Remembered(Settings(page_entries=16), OPEN)
    assert list(found.fold(window, ORDERS)) == list(range(1, ORDERS + 1))
    return found


def entries(remembered: Remembered, name: str) -> dict[str, Any]:
    """Give a table over all partitions, from its pages and from outside of them."""
    found: dict[str, Any] = {}
    for tables in remembered.tables.values():
        for live in tables.tables:
            if live.table.name == name:
                pages = live.pages.values() if isinstance(live, PagedTable) else ()
                paged = [unpack_key(packed) for page in pages for packed, _ in page.entries()]
                found |= {key: live[key] for key in (*paged, *dict.keys(live))}
    return found


def test_every_order_is_another_one_and_later_than_the_one_before(window: Window) -> None:
    submissions = list(repeat(window, 3 * ORDERS))
    assert len({one.order.internal_order_id for one in submissions}) == 3 * ORDERS
    assert len({one.order.receiver_key for one in submissions}) == 3 * ORDERS
    assert [one.at for one in submissions] == sorted({one.at for one in submissions})


def test_all_orders_went_the_whole_way_but_those_that_are_still_on_it(remembered: Remembered) -> None:
    routes, holds = entries(remembered, "routes"), entries(remembered, "holds")
    shipments, attempts = entries(remembered, "shipments"), entries(remembered, "attempts")
    assert len(entries(remembered, "orders")) == len(entries(remembered, "receivers")) == ORDERS
    assert shipments.keys() == attempts.keys()
    assert sum(route.parts for route in routes.values()) == len(shipments) > 0
    signed = {order_of(key) for key, shipment in shipments.items() if shipment.status is Status.SIGNED}
    assert len(routes) - len(signed) == pytest.approx(OPEN, abs=OPEN // 4)
    assert all(not holds[order_id].units for order_id in signed)
    assert any(holds[order_id].units for order_id in holds.keys() - signed)


def test_each_entry_lies_where_its_records_would(remembered: Remembered) -> None:
    for (topic, number), tables in remembered.tables.items():
        keys = {
            key for live in tables.tables if live.table.name in {"attempts", "shipments"} for key in dict.keys(live)
        }
        assert {partition_of(key, 4) for key in keys} <= {number}, topic


def restored(seconds: float, memory_bytes: int) -> Restored:
    stock = TableSize(table="stock", live_entries=10, live_bytes=50_000_000)
    return Restored(
        seconds=[seconds] * 3,
        cpu_seconds=[seconds] * 3,
        records=400_000,
        entries=900_000,
        memory_bytes=memory_bytes,
        tables=[stock],
    )


@pytest.mark.parametrize(
    ("paged", "unpaged", "committed", "missed"),
    [
        (restored(1.0, 249_000_000), restored(1.0, 0), 4.9, []),
        (restored(3.1, 249_000_000), restored(1.0, 0), 4.9, ["remembered entries"]),
        (restored(1.0, 251_000_000), restored(1.0, 0), 4.9, ["bytes of memory"]),
        (restored(1.0, 249_000_000), restored(1.4, 0), 4.9, ["changelog records"]),
        (restored(1.0, 249_000_000), None, 5.1, ["seconds from SIGKILL"]),
    ],
)
def test_a_target_that_is_missed_is_named(
    paged: Restored, unpaged: Restored | None, committed: float, missed: list[str]
) -> None:
    filled = Filled(orders=1_000_000, records=1, bytes=1, uncompacted_records=0)
    times = (
        Restart(started=0.1, checked=1, restored=2, restore_seconds=1, committed=late) for late in (1.0, committed)
    )
    result = judge(filled, paged, filled if unpaged else None, unpaged, list(times))
    found = [target.name for target in result.targets if not target.held]
    assert [name for name in found if name.startswith(tuple(missed))] == found
    assert len(found) == len(missed)
    assert result.held == (not missed)


def test_the_time_of_a_line_is_read() -> None:
    lines = ["Traceback", "2026-01-31 12:00:00,250 INFO x: one thing", "2026-01-31 12:00:01,500 INFO x: other thing"]
    assert time_of(lines, "other thing") - time_of(lines, "one thing") == pytest.approx(1.25)
    assert math.isnan(time_of(lines, "no such"))


@given(st.binary(max_size=40))
def test_keys_lie_where_kafka_puts_them(key: bytes) -> None:
    assert murmur2(key) & SIGN == kafkas_murmur2(key) & SIGN
