"""Dedup against a model: whatever is said of orders, each goes on at most once, and only when it may.

What is held for review has a living cause, and no more money goes back than came.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pipeline.domain.commands import CancelHold, CancelOrder, ConfirmHold, PayOrder, PlaceHold, Tick
from pipeline.domain.dedup.values import Standing
from pipeline.domain.events import OrderCancelled, OrderPaid, RefundDue
from pipeline.domain.order_commands import (
    ChangeAddress,
    ClaimReview,
    ConfirmCancel,
    DecideRefund,
    DecideReview,
    RequestRefund,
    TrimOrder,
)
from pipeline.domain.order_events import RefundDecided, RefundRequested
from pipeline.domain.orders import OrderStatus, SkuUnits
from tests.domain.folding import events, requests
from tests.domain.invariants import check_invariants
from tests.domain.orders import ENVELOPE, HOUR_MS, NOON, POOL, SHIP_TO, order_id, submit
from tests.domain.stages import folded

MINUTE_MS = 60_000
ORDERS = st.sampled_from("ABCDE")
STATUSES = st.sampled_from((OrderStatus.AWAIT_PAY, OrderStatus.PAID, OrderStatus.CANCELLED))
WHO = st.sampled_from(("ann", "bob"))
TWINS_OVER = {Standing.CANCELLED, Standing.REFUND_DUE}


class Dedup(RuleBasedStateMachine):
    """The model: what was said and asked so far, counted by order."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = folded("dedup")
        self.at = NOON
        self.created: dict[str, int] = {}
        self.came: Counter[str] = Counter()
        """The money that came."""
        self.back: Counter[str] = Counter()
        """The money that goes back."""
        self.asked: Counter[tuple[str, str]] = Counter()
        """How often reservation was asked: by command and order."""

    def tell(self, command: Any) -> list[str]:  # noqa: ANN401
        answers = self.stage.tell(command)
        for request in requests(answers):
            if isinstance(request, PlaceHold | ConfirmHold | CancelHold):
                self.asked[type(request).__name__, request.order_id] += 1
                self.check_it_may_go_on(request)
        for event in events(answers):
            self.count_money(event)
        assert events(answers) or isinstance(command, Tick), "no command goes without an event"
        return [type(event).__name__ for event in events(answers)]

    def check_it_may_go_on(self, request: PlaceHold | ConfirmHold | CancelHold) -> None:
        standing = self.stage.state.orders[request.order_id].standing
        match request:
            case PlaceHold(expires_at=None) | ConfirmHold():
                assert standing is Standing.PAID
            case PlaceHold():
                assert standing is Standing.AWAIT_PAY
            case CancelHold():
                assert standing in {Standing.CANCEL_REQUESTED, *TWINS_OVER}

    def count_money(self, event: Any) -> None:  # noqa: ANN401
        match event:
            case OrderPaid():
                self.came[event.order_id] += event.paid_minor
            case RefundDue():
                seen = self.stage.state.orders[event.order_id]
                self.back[event.order_id] += event.paid_minor
                if not seen.paid:
                    self.came[event.order_id] += event.paid_minor
            case RefundRequested():
                self.back[event.order_id] += event.amount_minor
            case RefundDecided(to_state="rejected"):
                self.back[event.order_id] -= event.amount_minor
            case _:
                pass

    @rule(name=ORDERS, status=STATUSES, receiver=st.sampled_from("rs"), units=st.integers(0, 2), held=st.booleans())
    def show(self, name: str, status: OrderStatus, receiver: str, units: int, *, held: bool) -> None:
        key = order_id(name)
        created_at = self.created.setdefault(key, self.at)
        line = msgspec.structs.replace(submit().order.lines[0], quantity=units)
        changes: dict[str, Any] = {"status": status, "receiver_key": receiver, "lines": (line,)}
        command = submit(name, created_at=created_at, updated_at=self.at, **changes)
        envelope = msgspec.structs.replace(ENVELOPE, holds_unpaid=held)
        told = self.tell(msgspec.structs.replace(command, envelope=envelope))
        assert ("OrderCreated" in told) == (told[0] == "OrderCreated")

    @rule(name=ORDERS)
    def pay(self, name: str) -> None:
        self.tell(PayOrder(at=self.at, pool=POOL, order_id=order_id(name), paid_minor=100))

    @rule(name=ORDERS)
    def cancel(self, name: str) -> None:
        self.tell(CancelOrder(at=self.at, pool=POOL, order_id=order_id(name), reason="buyer"))
        seen = self.stage.state.orders[order_id(name)]
        assert seen.standing in {Standing.PARKED, Standing.CANCEL_REQUESTED, *TWINS_OVER}

    @rule(name=ORDERS)
    def confirm_cancel(self, name: str) -> None:
        if self.asked["CancelHold", order_id(name)]:
            self.tell(ConfirmCancel(at=self.at, pool=POOL, order_id=order_id(name)))

    @rule(name=ORDERS, who=WHO, approve=st.booleans())
    def review(self, name: str, who: str, *, approve: bool) -> None:
        key = order_id(name)
        self.tell(ClaimReview(at=self.at, pool=POOL, order_id=key, reviewer=who))
        told = self.tell(DecideReview(at=self.at, pool=POOL, order_id=key, reviewer=who, approve=approve))
        if "ReviewRejected" in told:
            assert any(isinstance(fact, OrderCancelled) and fact.order_id == key for fact in self.stage.facts)

    @rule(name=ORDERS, city=st.sampled_from(("宁波市", "杭州市")), receiver=st.sampled_from("rs"))
    def change_address(self, name: str, city: str, receiver: str) -> None:
        ship_to = msgspec.structs.replace(SHIP_TO, city=city)
        command = ChangeAddress(
            at=self.at, pool=POOL, order_id=order_id(name), ship_to=ship_to, receiver_key=receiver, author="buyer"
        )
        self.tell(command)

    @rule(name=ORDERS, trim_id=st.sampled_from("12"))
    def trim(self, name: str, trim_id: str) -> None:
        units = (SkuUnits("X", 1),)
        self.tell(TrimOrder(at=self.at, pool=POOL, order_id=order_id(name), trim_id=trim_id, units=units))

    @rule(name=ORDERS, refund_id=st.sampled_from("12"), amount=st.sampled_from((50, 100, 150)))
    def ask_refund(self, name: str, refund_id: str, amount: int) -> None:
        command = RequestRefund(
            at=self.at, pool=POOL, order_id=order_id(name), refund_id=refund_id, amount_minor=amount
        )
        self.tell(command)

    @rule(name=ORDERS, refund_id=st.sampled_from("12"), who=WHO, approve=st.booleans())
    def decide_refund(self, name: str, refund_id: str, who: str, *, approve: bool) -> None:
        command = DecideRefund(
            at=self.at, pool=POOL, order_id=order_id(name), refund_id=refund_id, approver=who, approve=approve
        )
        self.tell(command)

    @rule(minutes=st.sampled_from((1, 13, 31, 36, 25 * 60)))
    def wait(self, minutes: int) -> None:
        self.at += minutes * MINUTE_MS
        while self.tell(Tick(at=self.at)):
            pass
        assert all(due_at > self.at for due_at in self.stage.state.deadlines.values())

    @invariant()
    def each_order_goes_on_at_most_once(self) -> None:
        assert all(times == 1 for times in self.asked.values())
        for command, key in self.asked:
            assert command == "PlaceHold" or self.asked["PlaceHold", key] == 1

    @invariant()
    def no_more_goes_back_than_came(self) -> None:
        for key, amount in self.back.items():
            assert 0 <= amount <= self.came[key]

    @invariant()
    def nothing_is_held_for_a_twin_that_is_over_or_for_a_payment_that_is_late(self) -> None:
        state = self.stage.state
        for key, review in state.reviews.items():
            for hold in review.holds:
                assert not hold.twin or state.orders[hold.twin].standing not in TWINS_OVER
                assert hold.twin != key
        for key, seen in state.orders.items():
            if seen.standing is Standing.AWAIT_PAY and key in self.created:
                assert self.at - self.created[key] <= HOUR_MS or f"unpaid|{key}|" in state.deadlines
        check_invariants(self.stage)


Dedup.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestDedup = Dedup.TestCase
