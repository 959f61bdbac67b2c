from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pipeline.domain.commands import CancelHold, CancelOrder, PayOrder, PlaceHold, RequestReview
from pipeline.domain.dedup.state import RECENT_ORDERS_PER_RECEIVER_MAX
from pipeline.domain.dedup.values import Standing
from pipeline.domain.memory import AHEAD_MS_MAX
from pipeline.domain.notes import Note
from pipeline.domain.orders import OrderStatus
from tests.domain.folding import events, names, requests
from tests.domain.orders import HOUR_MS, NOON, POOL, SHIP_TO, lines, order_id, submit, units, unpaid
from tests.domain.stages import folded

if TYPE_CHECKING:
    from tests.domain.folding import Folded

PAY = PayOrder(at=NOON + 1, pool=POOL, order_id=order_id("A"), paid_minor=100)
CANCEL = CancelOrder(at=NOON + 2, pool=POOL, order_id=order_id("A"), reason="buyer")
HELD = PlaceHold(
    at=NOON,
    pool=POOL,
    order_id=order_id("A"),
    units=units(X=1),
    ship_to=SHIP_TO,
    values_minor=(100,),
    paid_minor=100,
)
CREATED_AND_CANCELLED = ["OrderCreated", "OrderCancelled"]


def told(*commands: Any) -> tuple[Folded, list[Any]]:  # noqa: ANN401
    """Tell dedup some commands; give it with the answer to the last one."""
    dedup = folded("dedup")
    answers: list[Any] = []
    for command in commands:
        answers = dedup.tell(command)
    return dedup, answers


def standing(dedup: Folded, name: str = "A") -> Standing:
    found: Standing = dedup.state.orders[order_id(name)].standing
    return found


def test_a_new_paid_order_goes_on_at_once() -> None:
    _, answers = told(submit())
    assert names(answers) == ["OrderCreated", "OrderPaid", "PlaceHold"]
    assert requests(answers) == [HELD]


def test_the_lines_of_one_sku_are_asked_for_as_one() -> None:
    twice = (*lines(X=2), *lines(X=3), *lines(A=1), *lines(Z=0))
    _, answers = told(submit(lines=twice))
    (hold,) = requests(answers)
    assert isinstance(hold, PlaceHold)
    assert hold.units == units(A=1, X=5)
    assert (answers[0].lines, answers[0].units) == (4, 6)


def test_an_order_older_than_what_is_remembered_is_held_unless_it_is_known() -> None:
    dedup, _ = told(submit(created_at=NOON - HOUR_MS))
    dedup.state.orders.forgotten_ms = NOON - HOUR_MS
    held = dedup.tell(submit("B", created_at=NOON - HOUR_MS))
    assert names(held) == ["OrderCreated", "OrderPaid", "OrderHeldForReview", "RequestReview"]
    assert [event.reason for event in events(held) if hasattr(event, "reason")] == ["TOO_OLD"]
    assert standing(dedup, "B") is Standing.IN_REVIEW
    assert names(dedup.tell(submit(created_at=NOON - HOUR_MS))) == ["OrderRepeated"]
    ahead = NOON - HOUR_MS + AHEAD_MS_MAX
    assert "OrderHeldForReview" in names(dedup.tell(submit("C", created_at=ahead)))
    assert names(dedup.tell(submit("D", created_at=ahead + 1))) == ["OrderCreated", "OrderPaid", "PlaceHold"]


def test_an_unpaid_order_waits_and_is_forgotten_as_far_as_it_is_not_needed_any_more() -> None:
    dedup, answers = told(unpaid())
    assert names(answers) == ["OrderCreated"]
    assert dedup.state.orders[order_id("A")].rest.ship_to == SHIP_TO
    assert requests(dedup.tell(PAY)) == [msgspec.structs.replace(HELD, at=PAY.at)]
    assert dedup.state.orders[order_id("A")].rest is None


def test_a_resubmission_says_where_the_order_stands() -> None:
    _, answers = told(submit(), submit())
    (repeated,) = answers
    assert names(answers) == ["OrderRepeated"]
    assert (repeated.kind, repeated.to_state) == ("submit", "paid")


def test_an_order_that_shows_itself_paid_later_goes_on_with_what_it_says_by_then() -> None:
    _, answers = told(unpaid(), submit(updated_at=NOON + 9, lines=lines(Y=2), city="宁波市"))
    assert names(answers) == ["OrderChanged", "OrderPaid", "PlaceHold"]
    (hold,) = requests(answers)
    assert isinstance(hold, PlaceHold)
    assert (hold.units, hold.ship_to.city) == (units(Y=2), "宁波市")


def test_a_later_state_of_the_same_second_counts_and_an_older_one_does_not() -> None:
    assert names(told(unpaid(), submit())[1]) == ["OrderPaid", "PlaceHold"]
    assert names(told(unpaid(), submit(updated_at=NOON - 1))[1]) == ["OrderRepeated"]


def test_an_order_that_has_nothing_to_ship_by_the_time_it_is_paid_is_held_for_review() -> None:
    _, answers = told(unpaid(), submit(lines=lines(X=0)))
    assert names(answers) == ["OrderChanged", "OrderPaid", "OrderHeldForReview", "RequestReview"]


def test_a_payment_before_the_order_is_parked_and_applied() -> None:
    dedup, answers = told(PAY)
    assert names(answers) == ["OrderParked"]
    assert names(dedup.tell(PAY)) == ["OrderRepeated"]
    assert names(dedup.tell(unpaid())) == ["OrderCreated", "OrderPaid", "PlaceHold"]


def test_a_cancellation_before_the_order_is_parked_and_applied() -> None:
    dedup, answers = told(CANCEL)
    assert names(answers) == ["OrderParked"]
    assert names(dedup.tell(unpaid())) == CREATED_AND_CANCELLED
    assert standing(dedup) is Standing.CANCELLED


@pytest.mark.parametrize("first", [(PAY, CANCEL), (CANCEL, PAY)])
def test_both_before_the_order_end_in_a_refund(first: tuple[Any, Any]) -> None:
    _, answers = told(*first, unpaid())
    assert names(answers) == [*CREATED_AND_CANCELLED, "RefundDue"]


def test_a_paid_order_whose_cancellation_came_first_is_to_be_refunded() -> None:
    assert names(told(CANCEL, submit())[1]) == [*CREATED_AND_CANCELLED, "RefundDue"]


def test_an_order_that_comes_cancelled_stays_so() -> None:
    dedup, answers = told(submit(status=OrderStatus.CANCELLED))
    assert names(answers) == CREATED_AND_CANCELLED
    assert names(dedup.tell(CANCEL)) == ["OrderRepeated"]


def test_cancelling_an_unpaid_order_ends_it_and_a_late_payment_is_to_be_refunded_once() -> None:
    dedup, answers = told(unpaid(), CANCEL)
    assert names(answers) == ["OrderCancelled"]
    assert names(dedup.tell(PAY)) == ["RefundDue"]
    assert names(dedup.tell(PAY)) == ["OrderRepeated"]
    assert names(dedup.tell(CANCEL)) == ["OrderRepeated"]


@pytest.mark.parametrize("cancel", [CANCEL, submit(status=OrderStatus.CANCELLED)])
def test_cancelling_a_paid_order_goes_after_its_hold_once(cancel: Any) -> None:  # noqa: ANN401
    dedup, answers = told(submit(), cancel)
    assert names(answers) == ["CancelRequested", "CancelHold"]
    assert isinstance(requests(answers)[0], CancelHold)
    assert names(dedup.tell(CANCEL)) == ["OrderRepeated"]


TWIN = {"receiver_key": "r"}


@pytest.mark.parametrize("apart", [0, HOUR_MS, -HOUR_MS])
def test_two_orders_of_one_receiver_and_sku_within_an_hour_are_suspected(apart: int) -> None:
    dedup, answers = told(submit("A", **TWIN), submit("B", **TWIN, created_at=NOON + apart))
    assert names(answers) == ["OrderCreated", "OrderPaid", "OrderHeldForReview", "RequestReview"]
    (review,) = requests(answers)
    assert isinstance(review, RequestReview)
    assert review.reason == "SUSPECTED_DUPLICATE"
    assert review.order is not None
    assert order_id("A") in review.evidence
    assert standing(dedup, "B") is Standing.IN_REVIEW


@pytest.mark.parametrize(
    "changes",
    [
        {"created_at": NOON + HOUR_MS + 1},
        {"created_at": NOON - HOUR_MS - 1},
        {"receiver_key": "r2"},
        {"receiver_key": ""},
        {"lines": lines(Y=1)},
        {"pool": "pool-2"},
    ],
)
def test_orders_that_differ_in_time_receiver_goods_or_pool_are_not_suspected(changes: dict[str, Any]) -> None:
    _, answers = told(submit("A", **TWIN), submit("B", **(TWIN | changes)))
    assert names(answers) == ["OrderCreated", "OrderPaid", "PlaceHold"]


def test_an_order_whose_twin_was_cancelled_is_not_suspected() -> None:
    _, answers = told(unpaid("A", **TWIN), CANCEL, submit("B", **TWIN))
    assert names(answers) == ["OrderCreated", "OrderPaid", "PlaceHold"]


def test_an_order_in_review_can_be_paid_once_and_cancelled() -> None:
    dedup, answers = told(submit("B", **TWIN), unpaid("A", **TWIN))
    assert names(answers) == ["OrderCreated", "OrderHeldForReview", "RequestReview"]
    (paid,) = events(dedup.tell(PAY))
    assert (type(paid).__name__, paid.to_state) == ("OrderPaid", "in_review")
    assert names(dedup.tell(PAY)) == ["OrderRepeated"]
    assert names(dedup.tell(CANCEL)) == ["OrderCancelled", "RefundDue"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"buyer_id": ""}, "MISSING_CUSTOMER"),
        ({"lines": ()}, "NOTHING_TO_SHIP"),
        ({"lines": lines(X=0)}, "NOTHING_TO_SHIP"),
    ],
)
def test_an_order_that_nobody_could_ship_is_held_for_review(changes: dict[str, Any], reason: str) -> None:
    _, answers = told(submit(**changes))
    (review,) = requests(answers)
    assert isinstance(review, RequestReview)
    assert review.reason == reason


def test_a_receivers_recent_orders_are_bounded_in_number_and_time() -> None:
    dedup = folded("dedup")
    for number in range(RECENT_ORDERS_PER_RECEIVER_MAX + 5):
        dedup.tell(submit(str(number), **TWIN, created_at=NOON + number))
    receiver = dedup.state.receivers[f"{POOL}|r"]
    assert len(receiver.recent) == RECENT_ORDERS_PER_RECEIVER_MAX
    dedup.tell(submit("late", **TWIN, created_at=NOON + 7 * HOUR_MS))
    assert len(dedup.state.receivers[f"{POOL}|r"].recent) == 1


def test_no_event_carries_personal_data_and_notes_are_no_events() -> None:
    dedup = folded("dedup")
    answers = [answer for command in (unpaid("A", **TWIN), submit("B", **TWIN), PAY) for answer in dedup.tell(command)]
    told_all = msgspec.json.encode(events(answers)).decode()
    secrets = (SHIP_TO.name, SHIP_TO.phone, SHIP_TO.address_detail, SHIP_TO.city, SHIP_TO.district, '"r"')
    assert not [secret for secret in secrets if secret in told_all]
    assert any(isinstance(answer, Note) for answer in answers)
