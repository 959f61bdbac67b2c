"""A new order, and what was said of it before it came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from pipeline.domain import reasons
from pipeline.domain.commands import CancelOrder, PayOrder, SubmitOrder
from pipeline.domain.dedup.doubts import Look
from pipeline.domain.dedup.field_changes import differences, with_address, without
from pipeline.domain.dedup.flow import Answer, Step, go_on, noted, waiting_of
from pipeline.domain.dedup.notes import AskParked, OrderNoted
from pipeline.domain.dedup.refunds import ask_refund
from pipeline.domain.dedup.values import (
    AWAIT_PAY,
    PARKED_ASKS_MAX,
    RANKS,
    Parked,
    Review,
    Seen,
    Standing,
    Waiting,
)
from pipeline.domain.events import OrderCancelled, OrderCreated, OrderParked, OrderRepeated, RefundDue
from pipeline.domain.order_commands import ChangeAddress, ExpediteOrder, RequestRefund, TrimOrder
from pipeline.domain.order_events import (
    OrderChanged,
    OrderChangeRefused,
    OrderExpedited,
    OrderTrimmed,
    RefundIgnored,
    RefundRequested,
)
from pipeline.domain.orders import OrderStatus, units_to_ship

if TYPE_CHECKING:
    from pipeline.domain.dedup.state import State
    from pipeline.domain.dedup.values import Ask

NEW, UNREVIEWED = Seen(AWAIT_PAY), Review()
PAID, CANCELLED = OrderStatus.PAID, OrderStatus.CANCELLED
"""An attribute of an enum takes ten times as long to look up as a name."""
KINDS = {ChangeAddress: "address", ExpediteOrder: "expedite", TrimOrder: "trim", RequestRefund: "refund"}

Fact = OrderCreated | OrderNoted | OrderChanged | OrderExpedited | OrderTrimmed
Creating = Fact | Answer | RefundRequested | RefundIgnored
Parking = OrderParked | OrderRepeated | OrderChangeRefused | AskParked


def create(state: State, command: SubmitOrder, parked: Parked) -> list[Creating]:
    """Take up a new order, with what is known of it already."""
    order, at = command.order, command.at
    order_id = order.internal_order_id
    waiting = waiting_of(command)
    created = OrderCreated(
        order_id=order_id,
        at=at,
        channel=order.channel,
        shop_id=order.shop_id,
        platform_order_id=order.platform_order_id,
        pool=command.pool,
        lines=len(order.lines),
        units=sum([unit.units for unit in waiting.units]),
        paid_minor=order.paid_minor,
        currency=command.envelope.currency,
    )
    asked: list[Fact] = []
    for ask in parked.asks:
        waiting, facts = _apply(waiting, ask, at)
        asked += facts
    answers: list[Creating] = [created, noted(waiting, waiting.order or order, RANKS[order.status]), *asked]
    pays = order.paid_minor if order.status is PAID else parked.paid_minor
    if order.status is CANCELLED or parked.cancel_reason is not None:
        reason = order.platform_status if parked.cancel_reason is None else parked.cancel_reason
        answers.append(OrderCancelled(order_id=order_id, at=at, from_state=Standing.AWAIT_PAY, reason=reason))
        if pays is not None:
            due_at = at + state.policy().refund_ms
            answers.append(RefundDue(order_id=order_id, at=at, paid_minor=pays, due_at=due_at))
        return answers
    look = Look(at, is_new=True, for_twins=True)
    answers += go_on(state, Step(order_id, NEW, waiting, UNREVIEWED, look, pays))
    if parked.asks:
        answers += _refunds(state, parked, command, pays)
    return answers


def _apply(waiting: Waiting, ask: Ask, at: int) -> tuple[Waiting, list[Fact]]:
    """Apply what was asked of an order before it came; refunds are for later."""
    order = waiting.order
    if order is None:
        return waiting, []
    match ask:
        case ChangeAddress() if ask.at >= order.updated_at:
            changed = with_address(order, ask.ship_to, ask.receiver_key)
            changes = differences(order, changed, is_paid=False)
            fact = OrderChanged(order_id=ask.order_id, at=at, author=ask.author, kind="address", changes=changes)
            return replace(waiting, order=changed, ship_to=ask.ship_to), [fact]
        case ExpediteOrder():
            expedited = OrderExpedited(order_id=ask.order_id, at=at, priority=ask.priority)
            return replace(waiting, priority=ask.priority), [expedited]
        case TrimOrder():
            left, taken, _ = without(order, ask.units)
            trimmed = OrderTrimmed(order_id=ask.order_id, at=at, trim_id=ask.trim_id, units=taken, reason=ask.reason)
            return replace(waiting, order=left, units=units_to_ship(left)), [trimmed]
        case _:
            return waiting, []


def _refunds(state: State, parked: Parked, command: SubmitOrder, pays: int | None) -> list[Creating]:
    """Answer the refunds that were asked for before the order came."""
    seen = replace(NEW, paid=pays is not None, paid_minor=pays or 0, vip_level=command.envelope.vip_level)
    answers = list[Creating]()
    for ask in parked.asks:
        if isinstance(ask, RequestRefund):
            answer = ask_refund(state, replace(ask, at=command.at), seen)
            if isinstance(answer, RefundRequested):
                seen = replace(seen, refunded_minor=seen.refunded_minor + answer.amount_minor)
            answers.append(answer)
    return answers


def park(command: PayOrder | CancelOrder | Ask, seen: Seen | None) -> list[Parking]:
    """Remember what was said of an order that is not there yet."""
    parked = seen.rest if seen is not None and isinstance(seen.rest, Parked) else Parked()
    order_id, at = command.order_id, command.at
    match command:
        case PayOrder():
            kind, is_new = "pay", parked.paid_minor is None
            fact = OrderParked(order_id=order_id, at=at, kind=kind, paid_minor=command.paid_minor)
        case CancelOrder():
            kind, is_new = "cancel", parked.cancel_reason is None
            fact = OrderParked(order_id=order_id, at=at, kind=kind, reason=command.reason)
        case _:
            return _park_ask(command, parked)
    if is_new:
        return [fact]
    standing = Standing.PARKED
    return [OrderRepeated(order_id=order_id, at=at, from_state=standing, to_state=standing, kind=kind)]


def _park_ask(ask: Ask, parked: Parked) -> list[Parking]:
    kind, order_id, at = KINDS[type(ask)], ask.order_id, ask.at
    if any(_is_same(ask, other) for other in parked.asks):
        standing = Standing.PARKED
        return [OrderRepeated(order_id=order_id, at=at, from_state=standing, to_state=standing, kind=kind)]
    if len(parked.asks) >= PARKED_ASKS_MAX:
        return [OrderChangeRefused(order_id=order_id, at=at, kind=kind, reason=reasons.TOO_MANY_ASKED)]
    return [OrderParked(order_id=order_id, at=at, kind=kind), AskParked(order_id=order_id, ask=ask)]


def _is_same(one: Ask, other: Ask) -> bool:
    """Say whether two ask for the same: partial cancellations and refunds have ids that count once."""
    if isinstance(one, TrimOrder) and isinstance(other, TrimOrder):
        return one.trim_id == other.trim_id
    if isinstance(one, RequestRefund) and isinstance(other, RequestRefund):
        return one.refund_id == other.refund_id
    return one == other
