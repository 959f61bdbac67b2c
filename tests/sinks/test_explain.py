"""`explain`: an order's story as people read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cli import main
from pipeline.domain.events import Event, HoldPlaced, OrderCreated, OrderHeldForReview, OrderPaid, RefundDue
from pipeline.domain.orders import SkuUnits
from pipeline.domain.shipping_events import OrderRouted, RoutePart, RouteScore, ShipmentMoved, WaybillIssued
from sinks.blocks import make_block
from sinks.explain import UnknownOrderError, as_text, story_of
from sinks.log import LogRecord
from sinks.store import StoryLine, open_store, schema_statements
from sinks.telling import money_text, tell

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = 1_700_000_000_000
CREATED = OrderCreated(
    order_id="o1",
    at=NOON,
    channel="web",
    shop_id="s1",
    platform_order_id="A",
    pool="p",
    lines=1,
    units=2,
    paid_minor=1250,
    currency="CNY",
)
HELD = OrderHeldForReview(
    order_id="o1",
    at=NOON,
    from_state="paid",
    reason="RISK_AMOUNT_REGION",
    evidence="amount 612.00 CNY gt 500",
    rule_version="risk-remote-region@3",
)
PLACED = HoldPlaced(order_id="o1", at=NOON + 1, pool="p", units=(SkuUnits("X", 2),))
ROUTED = OrderRouted(
    order_id="o1",
    at=NOON + 2,
    pool="p",
    parts=(RoutePart(fulfilment_id="o1-1", warehouse="HZ", units=(SkuUnits("X", 2),)),),
    scores=(
        RouteScore(warehouse="HZ", distance_km=12.34, units_free=9),
        RouteScore(warehouse="BJ", distance_km=1200.0, units_free=0),
    ),
)
ISSUED = WaybillIssued(
    order_id="o1", at=NOON + 3, fulfilment_id="o1-1", warehouse="HZ", carrier="sf", key="o1-1-1", waybill_no="SF1"
)
MOVED = ShipmentMoved(
    order_id="o1",
    at=NOON + 4,
    from_state="waiting",
    to_state="in_transit",
    fulfilment_id="o1-1",
    carrier="sf",
    waybill_no="SF1",
    report_id="r1",
    code="50",
    place="Hangzhou",
    parts=1,
    outbound=True,
)


def lines(encoded: Callable[..., bytes], *told: tuple[str, Event]) -> list[StoryLine]:
    return [
        StoryLine(0, offset, encoded(event, stage, f"{stage}.commands-0-{offset}").decode())
        for offset, (stage, event) in enumerate(told)
    ]


def text(encoded: Callable[..., bytes], *told: tuple[str, Event]) -> str:
    return "\n".join(line.plain for line in as_text(story_of("o1", lines(encoded, *told))))


def test_a_shipped_order_is_told_from_its_first_event_to_its_parcel(encoded: Callable[..., bytes]) -> None:
    told = text(
        encoded,
        ("dedup", CREATED),
        ("dedup", OrderPaid(order_id="o1", at=NOON, paid_minor=1250)),
        ("reservation", PLACED),
        ("routing", ROUTED),
        ("waybill", ISSUED),
        ("tracking", MOVED),
    )
    expected = [
        "platform order id: A",
        "state: routed",
        "2023-11-14 22:13:20.000  dedup  by dedup.commands-0-0",
        "OrderCreated  received -> await_pay",
        "paid 12.50 CNY",
        "HoldPlaced  paid -> locked",
        "units 2 x X",
        "part 1: HZ ships 2 x X",
        "chosen    HZ: distance km 12.3, units free 9",
        "candidate BJ: distance km 1200.0, units free 0",
        "carrier sf, key o1-1-1, waybill no SF1",
        "ShipmentMoved  waiting -> in_transit",
        "outbound yes",
    ]
    places = [told.index(words) for words in expected]
    assert places == sorted(places)


def test_a_held_order_names_the_rule_its_version_and_why(encoded: Callable[..., bytes]) -> None:
    told = text(encoded, ("dedup", CREATED), ("dedup", HELD))
    assert "OrderHeldForReview  paid -> in_review  by rule risk-remote-region@3" in told
    assert "reason RISK_AMOUNT_REGION, evidence amount 612.00 CNY gt 500" in told


def test_an_order_with_money_due_says_how_much(encoded: Callable[..., bytes]) -> None:
    assert (
        "paid 12.50 CNY"
        in text(encoded, ("dedup", CREATED), ("dedup", RefundDue(order_id="o1", at=NOON, paid_minor=1250))).rpartition(
            "RefundDue"
        )[2]
    )


def test_an_event_that_nobody_has_described_is_told_all_the_same() -> None:
    facts: dict[str, Any] = {
        "event": "SomethingNew",
        "at": 1,
        "rules": ["a", "b"],
        "until": NOON,
        "is_late": True,
        "nothing": "",
        "amount_minor": -5,
        "changes": [["city", "Beijing", "Shanghai"], ["receiver_phone", "", ""]],
        "tiers": [{"share": 5, "kept_minor": 100}],
    }
    assert tell(facts, "JPY") == [
        "rules a; b, until 2023-11-14 22:13:20.000, is late yes, amount -5 JPY, tiers share 5 kept 100 JPY",
        "city: Beijing -> Shanghai",
        "receiver_phone: changed (not told)",
    ]


def test_an_order_of_hundreds_of_skus_is_told_briefly() -> None:
    assert tell({"units": [[f"S{n}", 1] for n in range(20)]}, "")[0].endswith("1 x S11 and 8 more SKUs")


@pytest.mark.parametrize(
    ("minor", "currency", "shown"), [(5, "CNY", "0.05 CNY"), (-1250, "USD", "-12.50 USD"), (7, "JPY", "7 JPY")]
)
def test_money_is_told_in_major_units(minor: int, currency: str, shown: str) -> None:
    assert money_text(minor, currency) == shown


def test_an_order_that_nobody_knows_is_an_error_that_names_it() -> None:
    with pytest.raises(UnknownOrderError, match="order o9: not known"):
        story_of("o9", [])


@pytest.mark.system
def test_the_command_tells_what_clickhouse_has(
    database: str, encoded: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store(database)
    store.apply_schema(schema_statements())
    values = [encoded(CREATED, "dedup", "order.commands-0-0"), encoded(HELD, "dedup", "order.commands-0-0", 1)]
    records = [LogRecord(0, offset, NOON, value) for offset, value in enumerate(values)]
    store.insert(make_block(records), "explain-1")
    store.close()
    monkeypatch.setenv("CLICKHOUSE_URL", database)
    assert main(["explain", "o1"]) == 0
    assert "by rule risk-remote-region@3" in capsys.readouterr().out
    assert main(["explain", "o1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [step["event"] for step in told["steps"]] == ["OrderCreated", "OrderHeldForReview"]
    assert told["steps"][1]["facts"]["rule_version"] == "risk-remote-region@3"
    assert main(["explain", "web", "s1", "unheard-of"]) == 2
    assert "not known" in capsys.readouterr().err
