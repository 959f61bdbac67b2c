"""A check that cannot fail is none: each anomaly, put into a good history, is found by the check made for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from loadtest.oracle.checks import Finding, Verdict
from loadtest.oracle.history import BookEntry, Delivery, Fact, History, Letter, RawMessage, StoredPartition
from loadtest.oracle.outcomes import outcomes
from loadtest.oracle.verdict import CHECKS, check_all

Change = Callable[[History], History]


def test_a_good_history_holds(good: History) -> None:
    broken = [finding for finding in check_all(good) if finding.verdict is not Verdict.HELD]
    assert broken == []


def test_every_order_of_the_good_history_has_the_outcome_it_was_written_for(good: History) -> None:
    found = {order_id: "+".join(sorted(names)) for order_id, names in outcomes(good).items()}
    assert found == {
        "plain": "signed",
        "split": "signed",
        "short": "refused",
        "unpaid": "cancelled",
        "doubtful": "in_review",
        "stopped": "cancelled",
        "moved": "signed",
        "waiting": "awaiting_payment",
    }


def _position(history: History, event: str, order_id: str) -> int:
    return next(place for place, fact in enumerate(history.facts) if (fact.event, fact.order_id) == (event, order_id))


def without(event: str, order_id: str) -> Change:
    # An event is lost, and the counts elsewhere agree.
    def change(history: History) -> History:
        place = _position(history, event, order_id)
        return replace(history, facts=[*history.facts[:place], *history.facts[place + 1 :]])

    return change


def again(event: str, of: str, **changed: Any) -> Change:  # noqa: ANN401 - any field of a fact
    # An event comes once more, under an id of its own.
    def change(history: History) -> History:
        fact = history.facts[_position(history, event, of)]
        topic, partition, offset = fact.cause.rsplit("-", 2)
        cause = f"{topic}-{partition}-{int(offset) + 500}"
        twin = fact._replace(event_id=f"{cause}-0", cause=cause, offset=fact.offset + 1000)
        return replace(history, facts=[*history.facts, twin._replace(**changed)])

    return change


def edit(event: str, order_id: str, **body: object) -> Change:
    # An event says something else.
    def change(history: History) -> History:
        facts = list(history.facts)
        place = _position(history, event, order_id)
        facts[place] = facts[place]._replace(body={**facts[place].body, **body})
        return replace(history, facts=facts)

    return change


def same_event_twice(history: History) -> History:
    # The very same event is in the log twice.
    return replace(history, facts=[*history.facts, history.facts[3]])


def negative_then_repaired(history: History) -> History:
    """Goods come after the hold that needed them: at the end all adds up."""
    late = Delivery("stock.commands-0-900", "east", "f2", (("a", 4),))
    first = history.feed[0]._replace(units=(("a", 2), ("b", 3)))
    return replace(history, feed=[first, late])


def feed_counted_twice(history: History) -> History:
    # The same delivery comes twice, and counts as received in the pipeline twice.
    return again("StockReceived", "")(history)


def raw_lost(history: History) -> History:
    # A record of orders.raw is never answered.
    lost = RawMessage("orders.raw-0-999", "order", "lost", 1000, (), {"a": 1})
    return replace(history, raw=[*history.raw, lost])


def raw_answered_and_dead(history: History) -> History:
    # A record is both understood and a dead letter.
    return replace(history, letters=[*history.letters, Letter(history.raw[0].source, "INVALID")])


def phantom(history: History) -> History:
    # An order comes from nowhere.
    return replace(history, facts=[*history.facts, history.facts[3]._replace(event_id="x-0-0-0", order_id="phantom")])


def inner_letter(history: History) -> History:
    # A stage could not read what another stage wrote.
    return replace(history, letters=[*history.letters, Letter("stock.commands-0-103", "INVALID")])


def payment_forgotten(history: History) -> History:
    # An order waits for a payment that was reported.
    news = RawMessage("orders.raw-0-12", "payment", "waiting", 1000, (), {})
    return replace(history, raw=[*history.raw, news])


def not_expected(history: History) -> History:
    # A record that should be a dead letter is taken for an order.
    first = history.raw[0]._replace(expect=("dead_letter",))
    return replace(history, raw=[first, *history.raw[1:]])


def nobody_asked(history: History) -> History:
    # An order is in review, and no reviewer knows.
    return replace(history, reviews=[])


def booked(*entries: BookEntry) -> Change:
    # The carrier's book says more.
    def change(history: History) -> History:
        return replace(history, book=[*history.book, *entries])

    return change


def waybill_lost(history: History) -> History:
    # A shipment is signed, and the carrier knows nothing of it.
    return replace(history, book=history.book[1:])


def stored(rows: int, ids: int, offset: int) -> Change:
    # ClickHouse has other counts, by so much.
    def change(history: History) -> History:
        row = history.stored[0]
        wrong = StoredPartition(row.partition, row.rows + rows, row.distinct_ids + ids, row.offset_max + offset)
        return replace(history, stored=[wrong])

    return change


def moved_back(fact: Fact) -> Fact:
    # A parcel is not signed for after all.
    return fact._replace(to="in_transit") if (fact.event, fact.order_id) == ("ShipmentMoved", "plain") else fact


def never_signed(history: History) -> History:
    # A parcel is on its way for ever.
    return replace(history, facts=[moved_back(fact) for fact in history.facts])


def sent_again(parts: list[tuple[str, int, int]]) -> Change:
    # Others take a part's place than those that should: id, units, what was paid.
    told = [{"fulfilment_id": name, "units": [("a", count)], "paid_minor": paid} for name, count, paid in parts]
    return edit("PartRerouted", "moved", new_parts=told)


ANOMALIES: tuple[tuple[str, Change], ...] = (
    ("one outcome", without("HoldRefused", "short")),
    ("one outcome", without("OrderCancelled", "stopped")),
    ("one outcome", again("OrderCancelled", "unpaid", order_id="plain")),
    ("one outcome", again("HoldRefused", "short", order_id="split")),
    ("one outcome", never_signed),
    ("one outcome", raw_lost),
    ("news heard", payment_forgotten),
    ("nothing invented", phantom),
    ("answered once", raw_lost),
    ("answered once", raw_answered_and_dead),
    ("answered once", again("OrderReceived", "plain", cause="orders.raw-0-0")),
    ("no inner dead letters", inner_letter),
    ("as expected", not_expected),
    ("reviews asked", nobody_asked),
    ("nothing oversold", again("HoldPlaced", "plain", order_id="other")),
    ("nothing oversold", negative_then_repaired),
    ("held once", again("HoldPlaced", "plain")),
    ("held whole", edit("HoldPlaced", "split", units=[["a", 1]])),
    ("routed whole", edit("HoldPlaced", "split", units=[["a", 1]])),
    ("sent again whole", sent_again([("moved-10001", 1, 0)])),
    ("sent again whole", sent_again([("moved-10001", 1, 5), ("moved-110001", 2, -5)])),
    ("sent again whole", sent_again([("moved-10001", 1, 5), ("moved-110001", 1, -4)])),
    ("sent again whole", without("OrderRouted", "moved")),
    ("sent again whole", again("PartRerouted", "moved")),
    ("one outcome", sent_again([("moved-10001", 1, 5), ("moved-110001", 1, -5), ("moved-210001", 0, 0)])),
    ("settled once", again("HoldConsumed", "plain")),
    ("settled once", again("HoldReleased", "stopped")),
    ("settled whole", without("HoldConsumed", "plain")),
    ("settled whole", edit("HoldReleased", "stopped", units=[["a", 2]])),
    ("feed counted", feed_counted_twice),
    ("feed counted", without("StockReceived", "")),
    ("waybills live", waybill_lost),
    ("waybills live", booked(BookEntry("accepted", "plain-1", "SF-2"))),
    ("waybills live", booked(BookEntry("accepted", "stopped-1", "SF-2"))),
    ("waybills asked for", booked(BookEntry("accepted", "nobody-1", "SF-3"))),
    ("waybills asked for", booked(BookEntry("cancelled", "plain-1", ""), BookEntry("accepted", "plain-1", "SF-2"))),
    ("waybill numbers", edit("WaybillIssued", "plain", waybill_no="SF-other")),
    ("events unique", same_event_twice),
    ("ClickHouse complete", stored(1, 0, 0)),
    ("ClickHouse complete", stored(-1, -1, 0)),
    ("ClickHouse complete", stored(0, 0, -1)),
    ("ClickHouse complete", without("OrderCreated", "waiting")),
)


def _finding(name: str, history: History) -> Finding:
    return next(finding for finding in check_all(history) if finding.name == name)


@pytest.mark.parametrize(("name", "change"), ANOMALIES)
def test_an_anomaly_is_found_and_named(good: History, name: str, change: Change) -> None:
    finding = _finding(name, change(good))
    assert finding.verdict is Verdict.BROKEN
    assert finding.broken > 0
    assert finding.first


def trimmed(history: History, *trim_ids: str) -> History:
    # Of the order "split" its shop asked for a whole unit of SKU c more, and took it off before it was held.
    place = _position(history, "HoldPlaced", "split")
    told = [
        Fact(f"order.commands-0-9{one}-0", 0, 9, 0, "OrderTrimmed", "split", "x-0-0", "", "", {"trim_id": one})
        for one in trim_ids
    ]
    raw = [
        message._replace(units={"a": 1, "b": 3, "c": 1}) if message.order_id == "split" else message
        for message in history.raw
    ]
    raw.append(RawMessage("orders.raw-0-99", "partial_cancellation", "split", 0, (), {"c": 1}, None, "C-1"))
    return replace(history, raw=raw, facts=[*history.facts[:place], *told, *history.facts[place:]])


def test_an_order_is_held_without_what_was_taken_off_before(good: History) -> None:
    assert _finding("held whole", trimmed(good, "C-1")).verdict is Verdict.HELD


@pytest.mark.parametrize("trim_ids", [(), ("C-2",)])
def test_what_dedup_did_not_take_off_is_held_with_the_order(good: History, trim_ids: tuple[str, ...]) -> None:
    assert _finding("held whole", trimmed(good, *trim_ids)).verdict is Verdict.BROKEN


def test_an_order_may_be_held_before_it_is_trimmed(good: History) -> None:
    whole = edit("HoldPlaced", "split", units=[["a", 1], ["b", 3], ["c", 1]])(trimmed(good, "C-1"))
    assert _finding("held whole", whole).verdict is Verdict.HELD


def test_the_order_of_the_log_between_orders_does_not_matter(good: History) -> None:
    shuffled = replace(good, facts=sorted(good.facts, key=lambda fact: (fact.order_id, fact.offset)))
    assert [finding.verdict for finding in check_all(shuffled)] == [finding.verdict for finding in check_all(good)]


@pytest.mark.parametrize("source", ["raw", "feed", "facts", "letters", "reviews", "book", "stored"])
def test_a_source_that_cannot_be_read_makes_its_checks_invalid(good: History, source: str) -> None:
    gone = replace(good, missing={source: "not there"})
    needs = {check.name: check.needs for check in CHECKS}
    for finding in check_all(gone):
        assert finding.verdict is (Verdict.INVALID if source in needs[finding.name] else Verdict.HELD)


def test_an_empty_run_proves_nothing() -> None:
    proven = {finding.name for finding in check_all(History()) if finding.verdict is not Verdict.INVALID}
    assert proven == {check.name for check in CHECKS if check.may_judge_nothing}
    assert proven == {"as expected", "flash returned", "sent again whole", "memory bounded", "privacy"}


def test_of_many_offenders_the_first_are_named_and_all_are_counted(good: History) -> None:
    lost = [RawMessage(f"orders.raw-0-{900 + place}", "order", f"lost-{place}", 0, (), {}) for place in range(50)]
    finding = _finding("one outcome", replace(good, raw=[*good.raw, *lost]))
    assert (finding.broken, len(finding.first)) == (50, 5)
