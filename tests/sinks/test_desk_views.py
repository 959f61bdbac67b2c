"""The desk's views, and what its command lines make of them, on a small history whose answers are known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import clickhouse_connect
import pytest

from pipeline.desk import positions, refunds, results, review
from pipeline.domain.events import (
    HoldConsumed,
    HoldPlaced,
    OrderCreated,
    OrderHeldForReview,
    OrderPaid,
    RefundDue,
    StockFeedRefused,
    StockReceived,
)
from pipeline.domain.order_events import (
    OrderReleased,
    OrderUnpaidTooLong,
    RefundDecided,
    RefundOverdue,
    RefundPaid,
    RefundRequested,
    ReviewClaimed,
    ReviewOverdue,
    ReviewReleased,
)
from pipeline.domain.orders import SkuUnits
from pipeline.domain.routing_events import CountSettled
from pipeline.domain.routing_floor_events import PartRerouted
from pipeline.domain.shipping_events import (
    AllocationSettled,
    OrderRouted,
    RoutePart,
    RouteScore,
    ShelfStocked,
    ShipmentSilent,
)
from pipeline.domain.stock_events import HoldConfirmed, HoldOverdue
from pipeline.settings import Settings
from sinks.blocks import make_block
from sinks.store import open_store, schema_statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickhouse_connect.driver.client import Client

    from tests.sinks.conftest import History

pytestmark = pytest.mark.system
AT_MS = 1_490_000_000_000
DAY_MS = 86_400_000
POOL = "brand"


def held(order_id: str, reason: str, rule: str, *, priority: int = 0) -> OrderHeldForReview:
    return OrderHeldForReview(
        order_id=order_id,
        at=AT_MS,
        reason=reason,
        evidence="why",
        pool=POOL,
        rule_id=rule,
        rules=(rule,),
        rule_version=f"{rule}@1",
        priority=priority,
        paid_minor=100,
    )


def overdue(order_id: str, limit: str) -> HoldOverdue:
    return HoldOverdue(order_id=order_id, at=AT_MS, from_state="locked", to_state="locked", limit=limit, due_at=AT_MS)


def frozen(order_id: str) -> HoldPlaced:
    return HoldPlaced(order_id=order_id, at=AT_MS, to_state="frozen", pool=POOL, units=(), rule_version="gate@3")


def asked(order_id: str, refund_id: str, tier: str, to_state: str, variant: str = "A") -> RefundRequested:
    return RefundRequested(
        order_id=order_id,
        at=AT_MS,
        to_state=to_state,
        rule_version="p1",
        refund_id=refund_id,
        amount_minor=40_000,
        tier=tier,
        variant=variant,
        due_at=AT_MS + 1000,
    )


def decided(order_id: str, refund_id: str, approver: str, to_state: str) -> RefundDecided:
    return RefundDecided(
        order_id=order_id,
        at=AT_MS + 60_000,
        to_state=to_state,
        refund_id=refund_id,
        approver=approver,
        amount_minor=40_000,
        tier="manual",
        variant="A",
        note="seen",
    )


def tell(history: History) -> None:
    for name in ("doubted", "let-go", "claimed"):
        history.tell("dedup", held(name, "RISK", "many", priority=1 if name == "claimed" else 0))
    history.tell("dedup", held("doubted", "FINANCE", "card"))
    claim = ReviewClaimed(order_id="claimed", at=AT_MS, reason="RISK", reviewer="ann", until=AT_MS)
    history.tell("dedup", claim, ReviewOverdue(order_id="claimed", at=AT_MS, reason="RISK", level="warn"))
    released = ReviewReleased(order_id="let-go", at=AT_MS, reason="RISK", rules=("many",), reviewer="ann")
    history.tell("dedup", released, OrderReleased(order_id="let-go", at=AT_MS, to_state="paid"))
    history.tell("reservation", frozen("cold"), frozen("thawed"))
    history.tell("reservation", HoldConfirmed(order_id="thawed", at=AT_MS, to_state="locked", pool=POOL))
    late = OrderUnpaidTooLong(order_id="slow", at=AT_MS)
    history.tell("dedup", late, OrderPaid(order_id="slow", at=AT_MS, paid_minor=1))
    history.tell("reservation", overdue("slow", "locked"), overdue("slow", "outbound"), overdue("gone", "locked"))
    history.tell("reservation", HoldConsumed(order_id="gone", at=AT_MS, pool=POOL, fulfilment_id="gone-1", units=()))
    silent = ShipmentSilent(
        order_id="gone", at=AT_MS, fulfilment_id="gone-1", pool=POOL, carrier="sf", waybill_no="SF", due_at=AT_MS
    )
    history.tell("tracking", silent)
    known: dict[str, Any] = {
        "channel": "web",
        "shop_id": "s",
        "platform_order_id": "p",
        "pool": POOL,
        "currency": "CNY",
    }
    history.tell("dedup", OrderCreated(order_id="back", at=AT_MS, lines=1, units=1, paid_minor=1, **known))
    history.tell("dedup", asked("back", "r1", "manual", "review"), decided("back", "r1", "ann", "review"))
    history.tell("dedup", asked("back", "r2", "self_service", "approved", "B"))
    paid = RefundPaid(order_id="back", at=AT_MS + 90_000, refund_id="r2", amount_minor=40_000, author="bo", note="n")
    history.tell("dedup", RefundOverdue(order_id="back", at=AT_MS, refund_id="r2"), paid)
    history.tell("dedup", RefundDue(order_id="over", at=AT_MS, paid_minor=700, due_at=AT_MS))
    received = StockReceived(at=AT_MS, pool=POOL, feed_id="f1", warehouse="w", units=())
    refused: dict[str, Any] = {"warehouse": "w9", "sku": "X", "change_units": 3, "reason": "UNKNOWN_WAREHOUSE"}
    history.tell("reservation", received, StockFeedRefused(at=AT_MS, pool=POOL, feed_id="f2", **refused))


def stocked(warehouse: str, units: int) -> ShelfStocked:
    return ShelfStocked(at=AT_MS, pool=POOL, warehouse=warehouse, units=(SkuUnits("X", units),))


def routed(order_id: str, near: str, ships: str, units: int, *, days: int = 0) -> OrderRouted:
    other = "west" if near == "east" else "east"
    scores = tuple(
        RouteScore(warehouse=name, distance_km=km, units_free=0) for name, km in ((other, 900.0), (near, 9.5))
    )
    part = RoutePart(fulfilment_id=f"{order_id}-1", warehouse=ships, units=(SkuUnits("X", units),))
    return OrderRouted(order_id=order_id, at=AT_MS - days * DAY_MS, pool=POOL, parts=(part,), scores=scores)


def settled(order_id: str, to_state: str) -> AllocationSettled:
    return AllocationSettled(order_id=order_id, at=AT_MS, to_state=to_state, pool=POOL, fulfilment_id=f"{order_id}-1")


def tell_shelves(history: History) -> None:
    history.tell("routing", stocked("east", 20), stocked("west", 90))
    count: dict[str, Any] = {"pool": POOL, "feed_id": "c", "warehouse": "west", "sku": "X", "change_units": -2}
    history.tell("routing", CountSettled(at=AT_MS, applied=True, **count))
    history.tell("routing", CountSettled(at=AT_MS, applied=False, **(count | {"feed_id": "d"})))
    history.tell("routing", routed("shipped", "east", "east", 8), settled("shipped", "shipped"))
    history.tell("routing", routed("open", "east", "west", 20), routed("freed", "west", "west", 3))
    history.tell("routing", settled("freed", "freed"), routed("old", "west", "east", 1, days=15))
    again = tuple(
        RoutePart(fulfilment_id=name, warehouse=warehouse, units=(SkuUnits("X", count),))
        for name, warehouse, count in (("open-10001", "east", 17), ("open-110001", "west", 3))
    )
    moved: dict[str, Any] = {"fulfilment_id": "open-1", "new_parts": again, "parts": 2, "reason": "SHUT"}
    history.tell("routing", PartRerouted(order_id="open", at=AT_MS, pool=POOL, **moved))


@pytest.fixture
def site(database: str, history: History) -> Settings:
    """Store the history, one half of it twice."""
    tell(history)
    tell_shelves(history)
    store = open_store(database)
    for _ in range(2):
        store.apply_schema(schema_statements())
    for statement_id, records in (("all", history.records), ("again", history.records[::2])):
        store.insert(make_block(records), statement_id)
    store.close()
    return Settings(clickhouse=database)


@pytest.fixture
def client(site: Settings) -> Iterator[Client]:
    with clickhouse_connect.get_client(dsn=site.clickhouse) as connected:
        yield connected


def test_the_queue_has_what_is_held_now_the_most_urgent_first(site: Settings) -> None:
    queue = [(one.order_id, one.reason, one.state, one.reviewer, one.alarm) for one in review.read_queue(site)]
    assert queue[0] == ("claimed", "RISK", "escalated", "ann", "late")
    assert sorted(queue[1:]) == [
        ("cold", "STOCK_PROTECTION", "frozen", "", "late"),
        ("doubted", "FINANCE", "raised", "", "late"),
        ("doubted", "RISK", "raised", "", "late"),
    ]


def test_what_a_rule_holds_can_be_told_from_what_is_frozen(site: Settings) -> None:
    found = {(one.order_id, one.reason) for one in review.held_by_rules(review.read_queue(site))}
    assert found == {("claimed", "RISK"), ("doubted", "RISK"), ("doubted", "FINANCE")}


def test_each_limit_that_was_passed_is_an_alarm_which_is_open_until_it_comes_about(client: Client) -> None:
    rows = client.query("SELECT alarm, level, order_id, is_open FROM alarms ORDER BY alarm, order_id").result_rows
    assert rows == [
        ("locked", "red", "gone", 0),
        ("locked", "red", "slow", 1),
        ("outbound", "red", "slow", 1),
        ("refund", "red", "back", 0),
        ("review", "yellow", "claimed", 1),
        ("silent", "red", "gone", 1),
        ("unpaid", "yellow", "slow", 0),
    ]


def test_refunds_are_told_with_who_decided_when_and_why(site: Settings) -> None:
    found = {(one.order_id, one.refund_id): one for one in refunds.read_refunds(site)}
    assert {key: (one.state, one.amount_minor, one.tier, one.approvers) for key, one in found.items()} == {
        ("back", "r1"): ("review", 40_000, "manual", ["ann"]),
        ("back", "r2"): ("refunded", 40_000, "self_service", []),
        ("over", ""): ("approved", 700, "cancelled", []),
    }
    assert found["back", "r1"].decisions == ["2017-03-20 08:54:20.000 ann: review, seen"]
    assert found["back", "r2"].decisions == ["2017-03-20 08:54:50.000 bo: refunded, n"]


def test_policies_are_compared_by_what_came_of_their_refunds(client: Client) -> None:
    question = "SELECT policy, variant, tier, refunds, in_review, refunded, late, p50_seconds FROM refunds_compared"
    assert client.query(question).result_rows == [
        ("p1", "A", "manual", 1, 1, 0, 0, None),
        ("p1", "B", "self_service", 1, 0, 1, 1, 90.0),
    ]


def test_what_is_free_on_a_shelf_and_what_sells_near_it_are_told(client: Client) -> None:
    free = client.query("SELECT warehouse, free_units FROM shelves").result_rows
    assert free == [("east", 20 - 8 - 17 - 1), ("west", 90 - 2 - 3)]
    near = client.query("SELECT warehouse, units, days FROM demand_near").result_rows
    assert near == [("east", 28, 1), ("west", 3, 1)]


def test_goods_are_suggested_where_they_sell(site: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert positions.show_suggestions(site, 7, as_json=True) == 0
    (move,) = json.loads(capsys.readouterr().out)
    assert move == {
        "pool": POOL,
        "sku": "X",
        "from_warehouse": "west",
        "to_warehouse": "east",
        "units": 14,
        "needs_units": 14,
        "has_units": 0,
    }


def test_a_feed_is_told_by_its_id(site: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert results.tell_results(site, [(POOL, "f1")], 0) == 0
    assert results.tell_results(site, [(POOL, "f2")], 0) == 1
    assert results.tell_results(site, [(POOL, "f3")], 0) == 1
    assert capsys.readouterr().out.splitlines() == [
        "brand: f1: StockReceived",
        "brand: f2: refused: UNKNOWN_WAREHOUSE (SKU X, 3 units in warehouse w9)",
        "brand: f3: not answered, or not stored yet",
    ]
