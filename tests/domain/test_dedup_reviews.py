from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pipeline.domain.commands import CancelOrder, PayOrder, PlaceHold, RequestReview, SubmitOrder, Tick
from pipeline.domain.dedup.values import HoldState, Standing
from pipeline.domain.events import OrderHeldForReview
from pipeline.domain.order_commands import ClaimReview, ConfirmCancel, DecideReview, ReviewAgain
from pipeline.domain.orders import SubPool
from pipeline.domain.rules.active import SetRules
from pipeline.domain.rules.book import Book
from tests.domain.folding import events, names, requests
from tests.domain.orders import ENVELOPE, NOON, POOL, lines, order_id, submit, unpaid
from tests.domain.stages import folded
from tests.domain.test_dedup import CANCEL, PAY, TWIN, standing, told

if TYPE_CHECKING:
    from pipeline.domain.orders import Envelope

MINUTE_MS = 60_000
BOOK: dict[str, list[dict[str, Any]]] = {
    "rules": [
        {
            "id": "many",
            "reason": "RISK_MANY",
            "action": "hold",
            "priority": 9,
            "deadline_minutes": 5,
            "when": {"any_line": {"field": "quantity", "op": "gt", "value": 4}},
        },
        {
            "id": "vip",
            "reason": "INSURE",
            "action": "service",
            "asks": ["insured"],
            "when": {"field": "vip_level", "op": "ge", "value": 3},
        },
        {
            "id": "card",
            "reason": "FINANCE",
            "deadline_minutes": 12,
            "action": "hold",
            "when": {"field": "payment_method", "op": "eq", "value": "card"},
        },
    ]
}
RULES = SetRules(at=NOON, version=1, book=msgspec.convert(BOOK, Book), author="ann", approver="bob")


def ruled(command: SubmitOrder, **envelope: Any) -> SubmitOrder:  # noqa: ANN401  any field of Envelope
    changed: Envelope = msgspec.structs.replace(ENVELOPE, **envelope)
    return msgspec.structs.replace(command, envelope=changed)


def claim(name: str = "A", who: str = "ann", at: int = NOON, reason: str = "") -> ClaimReview:
    return ClaimReview(at=at, pool=POOL, order_id=order_id(name), reviewer=who, reason=reason)


def decision(name: str = "A", who: str = "ann", *, approve: bool = True, at: int = NOON) -> DecideReview:
    return DecideReview(at=at, pool=POOL, order_id=order_id(name), reviewer=who, approve=approve, note="looked at it")


def test_all_rules_that_match_hold_an_order_each_with_its_reason_rule_and_deadline() -> None:
    dedup, answers = told(RULES, ruled(submit(lines=lines(X=5)), payment_method="card", vip_level=3))
    assert names(answers) == [
        *("OrderCreated", "OrderPaid", "OrderRuleMatched"),
        *("OrderHeldForReview", "RequestReview", "OrderHeldForReview", "RequestReview"),
    ]
    many, card = [event for event in events(answers) if isinstance(event, OrderHeldForReview)]
    assert (many.reason, many.rule_version, many.overdue_at) == ("RISK_MANY", "many@1", NOON + 5 * MINUTE_MS)
    assert (card.reason, card.rule_id, card.from_state) == ("FINANCE", "card", "in_review")
    matched = answers[3]
    assert (matched.rule_id, matched.action, matched.asks) == ("vip", "service", ("insured",))
    assert standing(dedup) is Standing.IN_REVIEW


def test_an_order_goes_on_when_its_last_hold_is_approved_and_its_rules_do_not_hold_it_again() -> None:
    held = ruled(submit(lines=lines(X=5)), payment_method="card")
    dedup, _ = told(RULES, held, claim(reason="RISK_MANY"), decision())
    assert standing(dedup) is Standing.IN_REVIEW
    dedup.tell(claim())
    answers = dedup.tell(decision())
    assert names(answers) == ["ReviewReleased", "OrderReleased", "PlaceHold"]
    assert answers[0].note == "looked at it"
    (place,) = requests(answers)
    assert isinstance(place, PlaceHold)
    assert [unit.units for unit in place.units] == [5]
    assert not dedup.state.reviews
    assert not dedup.state.deadlines


def test_the_last_approval_looks_at_the_order_with_the_rules_of_now() -> None:
    dedup, _ = told(submit("B", **TWIN), ruled(submit("A", **TWIN), payment_method="card"), RULES, claim())
    answers = dedup.tell(decision())
    assert names(answers) == ["ReviewReleased", "OrderHeldForReview", "RequestReview"]
    assert requests(answers)[0].reason == "FINANCE"  # type: ignore[attr-defined]


def test_what_was_approved_holds_again_only_when_the_order_is_another_one() -> None:
    held = ruled(unpaid(lines=lines(X=5)))
    dedup, _ = told(RULES, held, claim(), decision())
    assert standing(dedup) is Standing.AWAIT_PAY
    other = ruled(unpaid(lines=lines(X=6), updated_at=NOON + 1))
    assert names(dedup.tell(other)) == ["OrderChanged", "OrderHeldForReview", "RequestReview"]
    dedup.tell(claim())
    assert names(dedup.tell(decision())) == ["ReviewReleased", "OrderReleased"]
    assert names(dedup.tell(PAY)) == ["OrderPaid", "PlaceHold"]


def test_a_rejected_order_is_cancelled_and_what_was_paid_goes_back() -> None:
    dedup, _ = told(RULES, ruled(submit(), payment_method="card"), claim())
    answers = dedup.tell(decision(approve=False))
    assert names(answers) == ["ReviewRejected", "OrderCancelled", "RefundDue"]
    assert answers[-1].paid_minor == 100
    assert standing(dedup) is Standing.REFUND_DUE


def test_only_who_has_claimed_an_order_decides_and_only_as_long_as_the_claim_holds() -> None:
    dedup, _ = told(RULES, ruled(submit(), payment_method="card"))
    late = NOON + 15 * MINUTE_MS
    assert dedup.tell(decision())[0].answer == "NOT_CLAIMED"
    assert names(dedup.tell(claim())) == ["ReviewClaimed"]
    assert dedup.tell(claim(who="bob"))[0].answer == "CLAIMED_BY_OTHER"
    assert dedup.tell(decision(who="bob"))[0].answer == "CLAIMED_BY_OTHER"
    assert dedup.tell(decision(at=late))[0].answer == "NOT_CLAIMED"
    assert names(dedup.tell(claim(who="bob", at=late))) == ["ReviewClaimed"]
    assert dedup.tell(claim("B"))[0].answer == "NO_SUCH_HOLD"


def test_a_claim_that_runs_out_is_anybodys_and_a_hold_that_waits_is_escalated_twice() -> None:
    dedup, _ = told(RULES, ruled(submit(), payment_method="card"), claim())
    times = [NOON + minutes * MINUTE_MS for minutes in (11, 12, 14, 15, 24 * 60 - 1, 24 * 60)]
    found = [names(dedup.tell(Tick(at=at))) for at in times]
    assert found == [[], ["ReviewOverdue"], [], ["ReviewLeaseExpired"], [], ["ReviewOverdue"]]
    (hold,) = dedup.state.reviews[order_id("A")].holds
    assert hold.state is HoldState.ESCALATED
    assert not dedup.state.deadlines
    assert names(dedup.tell(claim(at=times[-1]))) == ["ReviewClaimed"]


def test_an_order_without_units_cannot_be_let_go_and_goes_on_when_it_shows_some() -> None:
    dedup, _ = told(submit(lines=lines(X=0)), claim())
    assert dedup.tell(decision())[0].answer == "NEEDS_UNITS"
    answers = dedup.tell(submit(updated_at=NOON + 1))
    assert names(answers) == ["OrderChanged", "ReviewReleased", "OrderReleased", "PlaceHold"]


def test_a_suspected_duplicate_is_let_go_when_its_twin_is_cancelled() -> None:
    dedup, _ = told(unpaid("A", **TWIN), submit("B", **TWIN))
    assert standing(dedup, "B") is Standing.IN_REVIEW
    answers = dedup.tell(CANCEL)
    assert names(answers) == ["OrderCancelled", "ReviewReleased", "OrderReleased", "PlaceHold"]
    assert standing(dedup, "B") is Standing.PAID
    assert not dedup.state.twins


def test_of_two_suspects_the_first_goes_on_and_the_second_may_repeat_that_one() -> None:
    dedup, _ = told(unpaid("A", **TWIN), submit("B", **TWIN), submit("C", **TWIN))
    dedup.tell(CANCEL)
    assert (standing(dedup, "B"), standing(dedup, "C")) == (Standing.PAID, Standing.IN_REVIEW)
    assert dedup.state.reviews[order_id("C")].holds[0].twin == order_id("B")


def test_a_twin_that_holds_stock_is_over_when_reservation_says_so() -> None:
    dedup, _ = told(submit("A", **TWIN), submit("B", **TWIN))
    assert names(dedup.tell(CANCEL)) == ["CancelRequested", "CancelHold"]
    answers = dedup.tell(ConfirmCancel(at=NOON, pool=POOL, order_id=order_id("A")))
    assert names(answers) == ["CancelConfirmed", "RefundDue", "ReviewReleased", "OrderReleased", "PlaceHold"]


def test_a_review_asks_once_for_each_reason_and_the_payment_does_not_end_it() -> None:
    dedup, answers = told(unpaid(buyer_id="", lines=()))
    reasons = [request.reason for request in requests(answers) if isinstance(request, RequestReview)]
    assert reasons == ["MISSING_CUSTOMER", "NOTHING_TO_SHIP"]
    (paid,) = events(dedup.tell(PayOrder(at=NOON, pool=POOL, order_id=order_id("A"), paid_minor=5)))
    assert paid.to_state == "in_review"
    cancelled = dedup.tell(CancelOrder(at=NOON, pool=POOL, order_id=order_id("A"), reason="buyer"))
    assert names(cancelled) == ["OrderCancelled", "RefundDue"]
    assert not dedup.state.reviews


@pytest.mark.parametrize("book", [BOOK, {"rules": []}])
def test_an_older_version_of_the_rules_changes_nothing(book: dict[str, Any]) -> None:
    dedup = folded("dedup")
    assert names(dedup.tell(RULES)) == ["RulesActivated"]
    again = msgspec.structs.replace(RULES, book=msgspec.convert(book, Book))
    assert names(dedup.tell(again)) == ["RulesRepeated"]


def again(name: str = "A") -> ReviewAgain:
    return ReviewAgain(at=NOON, pool=POOL, order_id=order_id(name), reviewer="ann")


def without_rule(rule_id: str, version: int = 2) -> SetRules:
    rules = [rule for rule in BOOK["rules"] if rule["id"] != rule_id]
    return SetRules(
        at=NOON, version=version, book=msgspec.convert({"rules": rules}, Book), author="ann", approver="bob"
    )


def test_what_a_rule_held_that_is_no_more_is_let_go_when_it_is_looked_at_again() -> None:
    dedup, answers = told(RULES, ruled(submit(lines=lines(X=5))), without_rule("many"), again())
    assert names(answers) == ["OrderReviewedAgain", "ReviewReleased", "OrderReleased", "PlaceHold"]
    assert (answers[0].reviewer, standing(dedup)) == ("ann", Standing.PAID)
    assert names(dedup.tell(again())) == ["ReviewIgnored"]


def test_what_another_rule_holds_or_dedup_itself_stays_held() -> None:
    dedup, _ = told(RULES, ruled(submit(lines=lines(X=5)), payment_method="card"), without_rule("many"), again())
    assert [hold.reason for hold in dedup.state.reviews[order_id("A")].holds] == ["FINANCE"]
    dedup, answers = told(RULES, submit(receiver_key="r"), submit("B", receiver_key="r"), again("B"))
    assert names(answers) == ["OrderReviewedAgain"]
    assert standing(dedup, "B") is Standing.IN_REVIEW


def test_a_rule_that_is_new_holds_an_order_that_is_looked_at_again() -> None:
    held = ruled(submit(lines=lines(X=5)), payment_method="card")
    _, answers = told(without_rule("many", 1), held, msgspec.structs.replace(RULES, version=2), again())
    assert names(answers) == ["OrderReviewedAgain", "OrderHeldForReview", "RequestReview"]


def test_an_order_that_comes_late_has_its_whole_time_from_when_it_came() -> None:
    now = NOON + 48 * 60 * MINUTE_MS
    dedup, _ = told(Tick(at=now), unpaid("A", created_at=NOON))
    assert names(dedup.tell(Tick(at=now + 29 * MINUTE_MS))) == []
    assert names(dedup.tell(Tick(at=now + 30 * MINUTE_MS))) == ["OrderUnpaidTooLong"]
    assert names(dedup.tell(Tick(at=now + 35 * MINUTE_MS))) == ["OrderCancelled"]


def test_a_clock_that_goes_back_changes_nothing() -> None:
    dedup, _ = told(Tick(at=NOON + 60 * MINUTE_MS), Tick(at=NOON))
    assert dedup.state.clock == {"now": NOON + 60 * MINUTE_MS}


def test_a_hold_is_overdue_by_when_it_was_raised_and_the_payment_before_a_review_is_told_on() -> None:
    dedup, answers = told(RULES, ruled(unpaid(lines=lines(X=5))), msgspec.structs.replace(PAY, at=NOON + 1))
    late = NOON + 90 * MINUTE_MS
    dedup.tell(claim(at=late))
    answers = dedup.tell(decision(at=late))
    placed = next(answer for answer in answers if isinstance(answer, PlaceHold))
    assert (placed.at, placed.paid_at) == (late, NOON + 1)


def test_only_of_a_flash_sale_is_told_who_buys_and_only_by_a_token() -> None:
    def buyer(**envelope: Any) -> str:  # noqa: ANN401
        _, answers = told(ruled(submit(buyer_id="open-id-7"), **envelope))
        return next(answer.buyer for answer in answers if isinstance(answer, PlaceHold))

    assert buyer() == ""
    assert len(buyer(sub_pool=SubPool.FLASH)) == 24
    assert "open-id-7" not in buyer(sub_pool=SubPool.FLASH)
