"""Histories for dedup: orders, what is said of them, reviews, refunds, and time, over few names, so that they meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import strategies as st

from pipeline.domain.commands import CancelOrder, PayOrder, Tick
from pipeline.domain.order_commands import (
    ChangeAddress,
    ClaimReview,
    ConfirmCancel,
    ConfirmRefund,
    DecideRefund,
    DecideReview,
    ExpediteOrder,
    RequestRefund,
    ReviewAgain,
    TrimOrder,
)
from pipeline.domain.order_policy import OrderPolicy, RefundTiers, SetOrderPolicy
from pipeline.domain.orders import OrderStatus, SkuUnits
from pipeline.domain.rules.active import SetRules
from pipeline.domain.rules.book import read_book
from tests.domain.orders import ENVELOPE, HOUR_MS, NOON, POOL, SHIP_TO, lines, order_id, submit

if TYPE_CHECKING:
    from pipeline.domain.rules.book import Book

SKUS = ("X", "Y", "Z")
ORDERS = tuple(order_id(name) for name in "ABC")
POLICY = OrderPolicy(
    version="2",
    refund_a=RefundTiers(0, 1, 1),
    refund_b=RefundTiers(1, 2, 1),
    refund_b_percent=50,
    routing_alarm_ms=HOUR_MS // 2,
    locked_alarm_ms=HOUR_MS // 4,
    outbound_alarm_ms=HOUR_MS,
    silent_alarm_ms=24 * HOUR_MS,
)

times = st.integers(NOON, NOON + 3 * HOUR_MS)
pools = st.just(POOL)
order_ids = st.sampled_from(ORDERS)
some_units = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 3), min_size=1).map(
    lambda units: tuple(SkuUnits(sku, units[sku]) for sku in sorted(units))
)
reasons = st.sampled_from(("buyer", "other"))
reviewers = st.sampled_from(("ann", "bob"))
held_for = st.sampled_from(("", "SUSPECTED_DUPLICATE", "MISSING_CUSTOMER", "CITY", "DEAR"))
cases = st.sampled_from(("r1", "r2"))
addresses = st.sampled_from((SHIP_TO, msgspec.structs.replace(SHIP_TO, city="宁波市")))


def _rule(rule_id: str, action: str, field: str, op: str, value: Any, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Give a rule of one condition, as it is written."""
    when = {"field": field, "op": op, "value": value}
    return {"id": rule_id, "action": action, "reason": rule_id.upper(), "when": when, **more}


def _book(*rules: dict[str, Any]) -> Book:
    return read_book(msgspec.json.encode({"rules": rules}))


GATE = _rule("gate", "protect", "sub_pool", "eq", "stock", protects="stock")
CITY = _rule("city", "hold", "city", "eq", "宁波市", priority=5, deadline_minutes=5)
DEAR = _rule("dear", "hold", "amount", "gt", 1, priority=9)
BOOKS = (
    _book(GATE),
    _book(GATE, CITY),
    _book(GATE, CITY, DEAR, _rule("vip", "service", "vip_level", "ge", 1, asks=["insured"])),
    _book({**GATE, "enabled": False}, DEAR),
    _book(
        {**GATE, "note": "as before"},
        {**CITY, "enabled": False},
        _rule("told", "notify", "units", "ge", 2, asks=["lead"]),
    ),
    _book({**GATE, "priority": 3}),
)
"""Books of rules that hold few things of all, and gates that are changed, or taken away, or not."""


@st.composite
def submissions(draw: st.DrawFn) -> Any:  # noqa: ANN401
    """Submit one of few orders, in any state, to one of few receivers, some with nothing to ship."""
    command = submit(
        draw(st.sampled_from("ABC")),
        status=draw(st.sampled_from((OrderStatus.AWAIT_PAY, OrderStatus.PAID, OrderStatus.CANCELLED))),
        created_at=draw(times),
        updated_at=draw(times),
        paid_minor=draw(st.integers(0, 2)),
        buyer_id=draw(st.sampled_from(("", "b"))),
        receiver_key=draw(st.sampled_from(("", "r1", "r2"))),
        city=draw(addresses).city,
        lines=lines(**draw(st.dictionaries(st.sampled_from(SKUS), st.integers(0, 2)))),
    )
    envelope = msgspec.structs.replace(
        ENVELOPE, holds_unpaid=draw(st.booleans()), vip_level=draw(st.integers(0, 1)), may_split=draw(st.booleans())
    )
    return msgspec.structs.replace(command, envelope=envelope)


order_news = st.one_of(
    submissions(),
    submissions(),
    st.builds(PayOrder, at=times, pool=pools, order_id=order_ids, paid_minor=st.integers(1, 3)),
    st.builds(CancelOrder, at=times, pool=pools, order_id=order_ids, reason=reasons),
    st.builds(
        ChangeAddress,
        at=times,
        pool=pools,
        order_id=order_ids,
        ship_to=addresses,
        receiver_key=st.sampled_from(("", "r1")),
    ),
    st.builds(ExpediteOrder, at=times, pool=pools, order_id=order_ids, priority=st.integers(0, 2)),
    st.builds(TrimOrder, at=times, pool=pools, order_id=order_ids, trim_id=cases, units=some_units),
    st.builds(RequestRefund, at=times, pool=pools, order_id=order_ids, refund_id=cases, amount_minor=st.integers(0, 3)),
)
policies_set = st.builds(
    SetOrderPolicy, at=times, policy=st.sampled_from((POLICY, OrderPolicy())), author=st.just("ann")
)
looks = st.builds(ReviewAgain, at=times, pool=pools, order_id=order_ids, reviewer=reviewers)
decisions = st.one_of(
    st.builds(ClaimReview, at=times, pool=pools, order_id=order_ids, reviewer=reviewers, reason=held_for),
    st.builds(
        DecideReview,
        at=times,
        pool=pools,
        order_id=order_ids,
        reviewer=reviewers,
        approve=st.booleans(),
        reason=held_for,
    ),
    st.builds(
        DecideRefund,
        at=times,
        pool=pools,
        order_id=order_ids,
        refund_id=cases,
        approver=reviewers,
        approve=st.booleans(),
    ),
    st.builds(ConfirmRefund, at=times, pool=pools, order_id=order_ids, refund_id=st.sampled_from(("", "r1", "r2"))),
    looks,
    st.builds(ConfirmCancel, at=times, pool=pools, order_id=order_ids),
    st.builds(Tick, at=times),
    st.builds(
        SetRules,
        at=times,
        version=st.integers(1, 6),
        book=st.sampled_from(BOOKS),
        author=reviewers,
        approver=st.sampled_from(("", "ann", " Ann ", "carl")),
    ),
    policies_set,
)
order_commands = st.one_of(order_news, decisions)
