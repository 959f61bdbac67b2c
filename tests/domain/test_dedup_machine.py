"""Dedup against a model: orders, payments, cancellations in any order and number; each order goes on at most once."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pipeline.domain.commands import CancelHold, CancelOrder, PayOrder, PlaceHold, RequestReview
from pipeline.domain.dedup_state import Standing
from pipeline.domain.orders import OrderStatus
from tests.domain.folding import events, requests
from tests.domain.invariants import check_invariants
from tests.domain.orders import HOUR_MS, NOON, POOL, order_id, submit
from tests.domain.stages import folded

ORDERS = st.sampled_from("ABCDE")
STATUSES = st.sampled_from((OrderStatus.AWAIT_PAY, OrderStatus.PAID, OrderStatus.CANCELLED))


class Dedup(RuleBasedStateMachine):
    """The model: what was said of each order so far, as plain sets."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = folded("dedup")
        self.shown: dict[str, int] = {}
        """When each order that came was created."""
        self.receivers: dict[str, str] = {}
        self.paid: set[str] = set()
        self.cancelled: set[str] = set()
        self.held: list[str] = []
        self.undone: list[str] = []
        self.reviewed: list[str] = []

    def tell(self, command: Any) -> list[str]:  # noqa: ANN401
        answers = self.stage.tell(command)
        for request in requests(answers):
            match request:
                case PlaceHold():
                    self.held.append(request.order_id)
                case CancelHold():
                    self.undone.append(request.order_id)
                case RequestReview():
                    self.reviewed.append(request.order_id)
        assert events(answers), "no command goes without an event"
        return [type(event).__name__ for event in events(answers)]

    @rule(name=ORDERS, status=STATUSES, receiver=st.sampled_from("rs"), minutes=st.integers(-90, 90))
    def show(self, name: str, status: OrderStatus, receiver: str, minutes: int) -> None:
        key = order_id(name)
        created_at = self.shown.get(key, NOON + minutes * HOUR_MS // 60)
        receiver = self.receivers.get(key, receiver)
        twins = self.twins(key, created_at, receiver)
        told = self.tell(
            submit(name, status=status, receiver_key=receiver, created_at=created_at, updated_at=created_at)
        )
        new = key not in self.shown
        assert ("OrderCreated" in told) == new
        if status is OrderStatus.CANCELLED:
            self.cancelled.add(key)
        if status is OrderStatus.PAID:
            self.paid.add(key)
        if new and key not in self.cancelled:
            assert ("OrderHeldForReview" in told) == bool(twins)
        self.shown[key] = created_at
        self.receivers[key] = receiver

    def twins(self, key: str, created_at: int, receiver: str) -> set[str]:
        """Find the orders that a new one may be a duplicate of."""
        return {
            other
            for other, at in self.shown.items()
            if other != key
            and self.receivers[other] == receiver
            and abs(at - created_at) <= HOUR_MS
            and not (other in self.cancelled and other not in self.held)
        }

    @rule(name=ORDERS)
    def pay(self, name: str) -> None:
        told = self.tell(PayOrder(at=NOON, pool=POOL, order_id=order_id(name), paid_minor=1))
        if order_id(name) in self.paid:
            assert told == ["OrderRepeated"] or "OrderPaid" not in told
        self.paid.add(order_id(name))

    @rule(name=ORDERS)
    def cancel(self, name: str) -> None:
        key = order_id(name)
        told = self.tell(CancelOrder(at=NOON, pool=POOL, order_id=key, reason="buyer"))
        assert (told == ["OrderRepeated"]) == (key in self.cancelled)
        self.cancelled.add(key)

    @invariant()
    def each_order_goes_on_at_most_once_and_only_when_it_is_paid(self) -> None:
        for orders in (self.held, self.undone, self.reviewed):
            assert len(set(orders)) == len(orders)
        assert set(self.undone) <= set(self.held) <= self.paid
        assert not set(self.reviewed) & set(self.held)

    @invariant()
    def every_order_that_came_stands_where_it_must(self) -> None:
        for key in self.shown:
            standing = self.stage.state.orders[key].standing
            match key in self.held, key in self.cancelled:
                case True, True:
                    assert standing is Standing.CANCEL_REQUESTED
                    assert key in self.undone
                case True, False:
                    assert standing is Standing.PAID
                case False, True:
                    assert standing in {Standing.CANCELLED, Standing.REFUND_DUE}
                case False, False:
                    assert standing is (Standing.IN_REVIEW if key in self.reviewed else Standing.AWAIT_PAY)
                    assert key in self.reviewed or key not in self.paid
        check_invariants(self.stage)


Dedup.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestDedup = Dedup.TestCase
