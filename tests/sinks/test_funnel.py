"""The views on a small history whose numbers are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import clickhouse_connect
import pytest

from pipeline.domain.events import (
    HoldPlaced,
    HoldRefused,
    OrderCancelled,
    OrderCreated,
    OrderHeldForReview,
    OrderPaid,
    OrderReceived,
    RefundDue,
)
from pipeline.domain.routing_floor_events import PartRerouted
from pipeline.domain.shipping_events import (
    FulfilmentCancelled,
    FulfilmentStopped,
    OrderRouted,
    RoutePart,
    ShipmentMoved,
    ShipmentTracked,
    WaybillIssued,
    WaybillRefused,
)
from sinks.blocks import make_block
from sinks.store import open_store, schema_statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickhouse_connect.driver.client import Client

    from tests.sinks.conftest import History

pytestmark = pytest.mark.system
AT_MS = 1_490_000_000_000


def _create(history: History, order_id: str, channel: str = "taobao") -> None:
    known = {"channel": channel, "shop_id": "s1", "platform_order_id": f"p-{order_id}", "pool": "brand"}
    history.tell("ingest", OrderReceived(order_id=order_id, at=AT_MS, kind="submit", **known))
    history.tell(
        "dedup", OrderCreated(order_id=order_id, at=AT_MS, lines=1, units=1, paid_minor=100, currency="CNY", **known)
    )


def _pay(history: History, order_id: str) -> None:
    history.tell("dedup", OrderPaid(order_id=order_id, at=AT_MS, paid_minor=100))


def _route(history: History, order_id: str, *warehouses: str) -> None:
    history.tell("reservation", HoldPlaced(order_id=order_id, at=AT_MS, pool="brand", units=()))
    parts = tuple(
        RoutePart(fulfilment_id=f"{order_id}-{number}", warehouse=warehouse, units=())
        for number, warehouse in enumerate(warehouses, 1)
    )
    history.tell("routing", OrderRouted(order_id=order_id, at=AT_MS, pool="brand", parts=parts, scores=()))


def _track(history: History, order_id: str, number: int, warehouse: str, parts: int) -> None:
    part = f"{order_id}-{number}"
    issued = WaybillIssued(
        order_id=order_id, at=AT_MS, fulfilment_id=part, warehouse=warehouse, carrier="sf", key="k", waybill_no="SF"
    )
    history.tell("waybill", issued)
    history.tell(
        "tracking",
        ShipmentTracked(
            order_id=order_id,
            at=AT_MS,
            fulfilment_id=part,
            pool="brand",
            carrier="sf",
            warehouse=warehouse,
            waybill_no="SF",
            parts=parts,
            units=(),
        ),
    )


def _move(history: History, part: str, to: str, *, outbound: bool, parts: int) -> None:
    moved = ShipmentMoved(
        order_id=part.rpartition("-")[0],
        at=AT_MS,
        to_state=to,
        fulfilment_id=part,
        carrier="sf",
        waybill_no="SF",
        report_id="r",
        code="50",
        place="",
        parts=parts,
        outbound=outbound,
    )
    history.tell("tracking", moved)


def _ship(history: History, order_id: str, warehouses: tuple[str, ...], channel: str = "taobao") -> None:
    """Take an order until all its parts are tracked."""
    _create(history, order_id, channel)
    _pay(history, order_id)
    _route(history, order_id, *warehouses)
    for number, warehouse in enumerate(warehouses, 1):
        _track(history, order_id, number, warehouse, len(warehouses))


def _send_again(history: History, order_id: str, sites: tuple[tuple[str, int], ...]) -> None:
    """Let other warehouses take an only part's place; until now the order had one."""
    parts = tuple(
        RoutePart(fulfilment_id=f"{order_id}-{number}", warehouse=warehouse, units=()) for warehouse, number in sites
    )
    stopped = {"order_id": order_id, "at": AT_MS, "fulfilment_id": f"{order_id}-1", "reason": "WAREHOUSE_CLOSED"}
    history.tell("waybill", FulfilmentStopped(**stopped, parts=1))  # type: ignore[arg-type]  # a dict of mixed values
    again = PartRerouted(**stopped, pool="brand", new_parts=parts, parts=len(parts))  # type: ignore[arg-type]  # likewise
    history.tell("routing", again)
    for warehouse, number in sites:
        _track(history, order_id, number, warehouse, 1)


@pytest.fixture
def client(database: str, history: History) -> Iterator[Client]:
    """Give the database with the history in it, one half of it twice."""
    _tell(history)
    store = open_store(database)
    for _ in range(2):
        store.apply_schema(schema_statements())
    for statement_id, records in (("all", history.records), ("again", history.records[::2])):
        store.insert(make_block(records), statement_id)
    store.close()
    with clickhouse_connect.get_client(dsn=database) as connected:
        yield connected


def _tell(history: History) -> None:
    _create(history, "unpaid", "jd")
    _create(history, "refunded")
    history.tell("dedup", OrderCancelled(order_id="refunded", at=AT_MS, reason="buyer"))
    history.tell("dedup", RefundDue(order_id="refunded", at=AT_MS, paid_minor=1))
    _create(history, "doubted", "jd")
    _pay(history, "doubted")
    history.tell("dedup", OrderHeldForReview(order_id="doubted", at=AT_MS, reason="SUSPECTED_DUPLICATE", evidence=""))
    _create(history, "refused")
    _pay(history, "refused")
    history.tell("reservation", HoldRefused(order_id="refused", at=AT_MS, pool="brand", reason="SHORTAGE", short=()))
    _ship(history, "signed", ("w1",))
    _move(history, "signed-1", "in_transit", outbound=True, parts=1)
    _move(history, "signed-1", "signed", outbound=False, parts=1)
    _ship(history, "half", ("w2",))
    _send_again(history, "half", (("w1", 10001), ("w2", 110001)))
    _move(history, "half-10001", "signed", outbound=True, parts=1)
    _ship(history, "both", ("w1", "w2"), "jd")
    _move(history, "both-1", "signed", outbound=True, parts=2)
    _move(history, "both-2", "in_transit", outbound=True, parts=2)
    _ship(history, "rest-cancelled", ("w1", "w2"))
    _move(history, "rest-cancelled-1", "signed", outbound=True, parts=2)
    cancelled = {"order_id": "rest-cancelled", "at": AT_MS, "fulfilment_id": "rest-cancelled-2"}
    history.tell("waybill", FulfilmentCancelled(**cancelled, parts=2, reason="buyer"))  # type: ignore[arg-type]  # a dict of mixed values
    _create(history, "by-hand")
    _pay(history, "by-hand")
    _route(history, "by-hand", "w2")
    refused = WaybillRefused(
        order_id="by-hand", at=AT_MS, fulfilment_id="by-hand-1", carrier="sf", key="k", reason="address"
    )
    history.tell("waybill", refused)


def test_the_funnel_counts_each_order_once_at_each_node(client: Client) -> None:
    answer = client.query("SELECT node, label, orders, round(share_of_previous, 3) FROM funnel").result_rows
    assert answer == [
        ("ordered", "下单", 9, 1.0),
        ("paid", "支付", 7, 0.778),
        ("routed", "分单", 5, 0.714),
        ("outbound", "出库", 3, 0.6),
        ("signed", "签收", 2, 0.667),
    ]


def test_the_funnel_is_cut_by_every_dimension(client: Client) -> None:
    question = (
        "SELECT dimension, value, groupArray(orders) FROM (SELECT * FROM funnel_by ORDER BY position) "
        "GROUP BY dimension, value ORDER BY dimension, value"
    )
    assert client.query(question).result_rows == [
        ("carrier", "", [4, 2, 0, 0, 0]),
        ("carrier", "sf", [5, 5, 5, 3, 2]),
        ("channel", "jd", [3, 2, 1, 1, 0]),
        ("channel", "taobao", [6, 5, 4, 2, 2]),
        ("pool", "brand", [9, 7, 5, 3, 2]),
        ("shop", "s1", [9, 7, 5, 3, 2]),
        ("warehouse", "", [5, 3, 1, 0, 0]),
        ("warehouse", "w1", [4, 4, 4, 3, 2]),
        ("warehouse", "w2", [3, 3, 3, 2, 1]),
    ]


def test_every_order_has_one_outcome(client: Client) -> None:
    outcomes = dict(client.query("SELECT order_id, outcome FROM order_outcomes").result_rows)  # type: ignore[arg-type,var-annotated]
    assert outcomes == {
        "unpaid": "await_pay",
        "refunded": "refund_due",
        "doubted": "in_review",
        "refused": "refused",
        "signed": "signed",
        "half": "part_outbound",
        "both": "outbound",
        "rest-cancelled": "signed",
        "by-hand": "manual",
    }
    assert client.command("SELECT count() FROM order_outcomes") == len(outcomes)


def test_the_times_between_nodes_and_those_who_wait_are_told(client: Client) -> None:
    question = "SELECT from_node, to_node, orders, p50_seconds, p95_seconds, waiting FROM funnel_times"
    answer = client.query(question).result_rows
    # A second passes between two events; of `both` and `rest-cancelled`, the last part counts.
    assert [row[:3] for row in answer] == [
        ("ordered", "paid", 7),
        ("paid", "routed", 5),
        ("routed", "outbound", 3),
        ("outbound", "signed", 2),
        ("ordered", "signed", 2),
    ]
    assert answer[0][3:] == (1.0, 1.0, 1)
    assert answer[1][3:] == (2.0, 2.0, 1)
    assert answer[2][5] == 2
    assert client.command("SELECT min(oldest_waiting_seconds) > 0 FROM funnel_times WHERE waiting > 0") == 1


def test_a_story_is_told_in_order_with_its_causes(client: Client) -> None:
    told = client.query(
        "SELECT event, from_state, to_state, cause FROM story(order = {order:String})", {"order": "refunded"}
    )
    assert [row[:3] for row in told.result_rows] == [
        ("OrderReceived", "", "received"),
        ("OrderCreated", "received", "await_pay"),
        ("OrderCancelled", "", "cancelled"),
        ("RefundDue", "cancelled", "refund_due"),
    ]
    assert told.result_rows[1][3].startswith("dedup.commands-0-")
