"""How long orders took."""

from __future__ import annotations

from loadtest.latency import decided_within, latencies
from loadtest.oracle.emitted import fact
from loadtest.oracle.history import Fact, History, RawMessage


def sent(order_id: str, intended_ms: int, place: int) -> RawMessage:
    return RawMessage(f"orders.raw-0-{place}", "order", order_id, intended_ms, (), {})


def seen(event: str, order_id: str, appended_ms: int) -> Fact:
    body = {"id": f"{event}-{order_id}", "event": event, "order_id": order_id, "cause": "c-0-0"}
    return fact(body, 0, appended_ms, appended_ms)


def test_latency_is_from_the_intended_send_to_the_first_answer() -> None:
    history = History(
        raw=[sent("a", 1000, 0), sent("b", 1000, 1)],
        facts=[seen("HoldPlaced", "a", 1050), seen("HoldPlaced", "b", 1150), seen("ShipmentTracked", "a", 1400)],
    )
    held, tracked = latencies(history)
    assert (held.orders, held.p50_seconds, held.p99_seconds) == (2, 0.05, 0.15)
    assert (tracked.orders, tracked.p99_seconds) == (1, 0.4)


def test_of_a_split_order_the_first_parcel_counts() -> None:
    history = History(raw=[sent("a", 1000, 0)], facts=[seen("ShipmentTracked", "a", t) for t in (1200, 1900)])
    assert latencies(history)[1].p50_seconds == 0.2


def test_an_order_that_waited_for_its_buyer_is_not_measured() -> None:
    history = History(raw=[sent("a", 1000, 0), sent("a", 2000, 1)], facts=[seen("HoldPlaced", "a", 9000)])
    assert latencies(history)[0].orders == 0


def test_a_drain_lasts_from_the_first_order_to_the_last_decision() -> None:
    history = History(
        facts=[
            seen("StockReceived", "", 10),
            seen("OrderReceived", "a", 1000),
            seen("HoldRefused", "b", 1500),
            seen("ShipmentTracked", "a", 3000),
            seen("ShipmentMoved", "a", 9000),
        ]
    )
    assert decided_within(history) == (2.0, 2)
    assert decided_within(History()) == (0, 0)


def test_orders_that_warmed_a_drain_up_do_not_count() -> None:
    received = [seen("OrderReceived", "a", 1000), seen("OrderReceived", "b", 5000), seen("OrderReceived", "c", 5100)]
    decided = [seen("ShipmentTracked", "a", 2000), seen("HoldRefused", "b", 6000), seen("HoldRefused", "c", 5500)]
    assert decided_within(History(facts=[*received, *decided]), since_ms=4000) == (1.0, 2)
