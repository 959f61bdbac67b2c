"""How long orders took, by parts of the time, and how many were under way."""

from __future__ import annotations

from loadtest.oracle.emitted import fact
from loadtest.oracle.history import Fact, History, RawMessage
from loadtest.profiles.timing import Timed, Timing

BEGIN_MS = 50_000
ORDERS = [
    Timed(0, 40, 100, 100),
    Timed(1000, 1300, 2000, 2000),
    Timed(2000, 2100, None, 2200),
    Timed(2500, None, None, None),
]


def sent(order_id: str, intended_ms: int, place: int) -> RawMessage:
    return RawMessage(f"orders.raw-0-{place}", "order", order_id, intended_ms, (), {})


def seen(event: str, order_id: str, appended_ms: int) -> Fact:
    body = {"id": f"{event}-{order_id}", "event": event, "order_id": order_id, "cause": "c-0-0"}
    return fact(body, 0, appended_ms, appended_ms)


def test_a_spell_has_the_orders_that_were_to_be_sent_in_it() -> None:
    spell = Timing(ORDERS, BEGIN_MS).spell("all", 0, 2)
    assert (spell.orders, spell.p50_seconds, spell.max_seconds) == (2, 0.1, 1.0)
    assert Timing(ORDERS, BEGIN_MS).spell("all", 2, 9, to_hold=True).p50_seconds == 0.1


def test_a_spell_without_orders_has_no_latency() -> None:
    spell = Timing(ORDERS, BEGIN_MS).spell("late", 5, 9)
    assert (spell.orders, spell.p99_seconds, spell.max_seconds) == (0, 0, 0)


def test_an_order_is_under_way_from_its_intended_send_until_it_is_decided() -> None:
    timing = Timing(ORDERS, BEGIN_MS)
    assert [timing.under_way(at) for at in (0, 0.1, 1.5, 2.1, 9)] == [1, 0, 1, 1, 1]
    assert timing.undecided == 1


def test_a_backlog_is_gone_when_the_last_of_its_orders_is_decided() -> None:
    backlog = Timing(ORDERS[:3], BEGIN_MS).backlog("rush", 1.5)
    assert (backlog.after, backlog.orders, backlog.gone_seconds) == ("rush", 1, 0.5)


def test_orders_that_come_after_it_are_not_of_a_backlog() -> None:
    assert Timing(ORDERS, BEGIN_MS).backlog("rush", 0.5).gone_seconds == 0


def test_a_backlog_with_an_order_that_nothing_was_decided_of_is_never_gone() -> None:
    assert Timing(ORDERS, BEGIN_MS).backlog("rush", 3).gone_seconds is None


def test_a_history_is_timed_from_its_first_intended_send() -> None:
    history = History(
        raw=[sent("a", BEGIN_MS, 0), sent("b", BEGIN_MS + 500, 1), sent("twice", 0, 2), sent("twice", 0, 3)],
        facts=[
            seen("HoldPlaced", "a", BEGIN_MS + 30),
            seen("ShipmentTracked", "a", BEGIN_MS + 70),
            seen("HoldRefused", "b", BEGIN_MS + 600),
        ],
    )
    timing = Timing.of(history)
    assert timing.begin_ms == BEGIN_MS
    assert timing.between(0, 1) == [Timed(0, 30, 70, 70), Timed(500, None, None, 600)]
