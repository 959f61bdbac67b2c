"""Dedup: each order once. Knows every order ever seen, holds doubtful ones for review, sends paid ones on.

An order's id settles whether it is known, so a resubmission after a year is still one. Of an order older than what is
remembered nobody can say that it is new: it is held for review. What was
said of an order before it came (its payment, its cancellation) is parked and applied when it comes.

Two orders of one receiver with a SKU in common, created within an hour of each other, are a suspected duplicate
(疑似重复). Event time counts, both ways, since the later one may arrive first. The one that arrives later is held,
unless the other is cancelled. Where there is no receiver key, nothing is suspected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import msgspec

from pipeline.domain import reasons
from pipeline.domain.commands import CancelHold, CancelOrder, PayOrder, PlaceHold, RequestReview, SubmitOrder
from pipeline.domain.dedup_state import DUPLICATE_WITHIN_MS, Event, Parked, Seen, Standing, State, Waiting, evolve
from pipeline.domain.errors import InvariantError
from pipeline.domain.events import (
    CancelRequested,
    OrderCancelled,
    OrderCreated,
    OrderHeldForReview,
    OrderPaid,
    OrderParked,
    OrderRepeated,
    RefundDue,
)
from pipeline.domain.notes import OrderNoted
from pipeline.domain.orders import OrderStatus, ShipTo, units_to_ship

if TYPE_CHECKING:
    from pipeline.domain.commands import OrderCommand
    from pipeline.domain.orders import Order, SkuUnits

CANCELLABLE = frozenset({Standing.AWAIT_PAY, Standing.IN_REVIEW, Standing.PAID})
NO_TWIN = frozenset({Standing.CANCELLED, Standing.REFUND_DUE})
"""Where an order stands that is over: a second one of its kind is the order that the buyer wants."""

__all__ = ["State", "decide", "evolve"]

Answers = tuple[Event | OrderNoted | PlaceHold | CancelHold | RequestReview, ...]


def decide(state: State, command: OrderCommand) -> Answers:
    """Answers a command. A repeated one changes nothing, and the answer says where the order stands."""
    match command:
        case SubmitOrder():
            seen = state.orders.get(command.order.internal_order_id)
            if seen is None:
                return _create(state, command, Parked())
            if isinstance(seen.rest, Parked):
                return _create(state, command, seen.rest)
            return _show_again(seen, command)
        case PayOrder():
            seen = state.orders.get(command.order_id)
            return _park(command, seen) if seen is None or isinstance(seen.rest, Parked) else _pay(command, seen)
        case CancelOrder():
            seen = state.orders.get(command.order_id)
            if seen is None or isinstance(seen.rest, Parked):
                return _park(command, seen)
            return _cancel(command, seen, command.order_id, command.reason)
        case _:
            assert_never(command)


def _create(state: State, command: SubmitOrder, parked: Parked) -> Answers:
    """Take up a new order, with what is known of it already."""
    order, at = command.order, command.at
    order_id = order.internal_order_id
    units = units_to_ship(order)
    created = OrderCreated(
        order_id=order_id,
        at=at,
        channel=order.channel,
        shop_id=order.shop_id,
        platform_order_id=order.platform_order_id,
        pool=command.pool,
        lines=len(order.lines),
        units=sum([unit.units for unit in units]),
        paid_minor=order.paid_minor,
        currency=command.envelope.currency,
    )
    paid = _payment(order, parked)
    if order.status is OrderStatus.CANCELLED or parked.cancel_reason is not None:
        reason = order.platform_status if parked.cancel_reason is None else parked.cancel_reason
        cancelled = OrderCancelled(order_id=order_id, at=at, from_state=Standing.AWAIT_PAY, reason=reason)
        refunds = [RefundDue(order_id=order_id, at=at, paid_minor=payment.paid_minor) for payment in paid]
        return created, cancelled, *refunds
    doubt = _doubt(state, command, units)
    if doubt is not None:
        return created, *_note(command, units, waiting=False), *paid, *_hold_for_review(command, doubt, paid=bool(paid))
    if not paid:
        return created, *_note(command, units, waiting=True)
    place = PlaceHold(at=at, pool=command.pool, order_id=order_id, units=units, ship_to=_ship_to(order))
    return created, *_note(command, units, waiting=False), *paid, place


def _note(command: SubmitOrder, units: tuple[SkuUnits, ...], *, waiting: bool) -> tuple[OrderNoted, ...]:
    """Note what no event may carry: who receives an order, and, of one that waits for its payment, where it goes."""
    order = command.order
    if not order.receiver_key and not waiting:
        return ()
    note = OrderNoted(
        pool=command.pool,
        order_id=order.internal_order_id,
        created_at=order.created_at,
        receiver_key=order.receiver_key,
        skus="\n".join([unit.sku for unit in units]),
        units=units if waiting else (),
        ship_to=_ship_to(order) if waiting else None,
    )
    return (note,)


def _ship_to(order: Order) -> ShipTo:
    return ShipTo(
        name=order.receiver_name,
        phone=order.receiver_phone,
        province=order.province,
        city=order.city,
        district=order.district,
        address_detail=order.address_detail,
    )


def _payment(order: Order, parked: Parked) -> tuple[OrderPaid, ...]:
    """Give the fact that a new order is paid, if it is."""
    if order.status is OrderStatus.PAID:
        paid_minor = order.paid_minor
    elif parked.paid_minor is not None:
        paid_minor = parked.paid_minor
    else:
        return ()
    return (OrderPaid(order_id=order.internal_order_id, at=order.updated_at, paid_minor=paid_minor),)


def _doubt(state: State, command: SubmitOrder, units: tuple[SkuUnits, ...]) -> tuple[str, str] | None:
    """Say why a person must look at a new order, and what speaks against it."""
    order = command.order
    if not order.receiver_key and not order.buyer_id:
        return reasons.MISSING_CUSTOMER, "the order names neither a buyer nor a receiver"
    if order.created_at <= state.orders.forgotten_ms:
        return reasons.TOO_OLD, "the order is older than what is remembered: it may have been fulfilled already"
    if not units:
        return reasons.NOTHING_TO_SHIP, f"none of its {len(order.lines)} lines needs stock"
    return _twin(state, command, units) if order.receiver_key else None


def _twin(state: State, command: SubmitOrder, units: tuple[SkuUnits, ...]) -> tuple[str, str] | None:
    """Find another order of this receiver that may be the same one."""
    order = command.order
    receiver = state.receivers.get(f"{command.pool}|{order.receiver_key}")
    if receiver is None:
        return None
    ours = {unit.sku for unit in units}
    for other in receiver.recent:
        apart = abs(order.created_at - other.created_at)
        if apart > DUPLICATE_WITHIN_MS:
            continue
        common = ours.intersection(other.skus.split("\n"))
        if common and state.orders[other.order_id].standing not in NO_TWIN:
            evidence = f"order {other.order_id} of this receiver has {min(common)} too, {apart // 1000} s apart"
            return reasons.SUSPECTED_DUPLICATE, evidence
    return None


def _hold_for_review(
    command: SubmitOrder, doubt: tuple[str, str], *, paid: bool
) -> tuple[OrderHeldForReview, RequestReview]:
    order_id, (reason, evidence) = command.order.internal_order_id, doubt
    held = OrderHeldForReview(
        order_id=order_id,
        at=command.at,
        from_state=Standing.PAID if paid else Standing.AWAIT_PAY,
        reason=reason,
        evidence=evidence,
    )
    review = RequestReview(
        at=command.at,
        pool=command.pool,
        order_id=order_id,
        reason=reason,
        evidence=evidence,
        order=command.order,
    )
    return held, review


def _show_again(seen: Seen, command: SubmitOrder) -> Answers:
    """Take what a known order shows: only a later state than the known one counts, and an older showing never does."""
    order, at = command.order, command.at
    order_id = order.internal_order_id
    if at >= seen.updated_at:
        if order.status is OrderStatus.CANCELLED and seen.standing in CANCELLABLE:
            return _cancel(command, seen, order_id, order.platform_status)
        if order.status is OrderStatus.PAID and not seen.paid:
            return _paid_now(command, seen, order)
    return (OrderRepeated(order_id=order_id, at=at, from_state=seen.standing, to_state=seen.standing, kind="submit"),)


def _paid_now(command: SubmitOrder, seen: Seen, order: Order) -> Answers:
    """Go on with a known order that shows itself paid, and with what it says by now of units and address."""
    units = units_to_ship(order)
    if seen.standing is Standing.AWAIT_PAY and not units:
        paid = OrderPaid(order_id=order.internal_order_id, at=command.at, paid_minor=order.paid_minor)
        doubt = reasons.NOTHING_TO_SHIP, f"none of its {len(order.lines)} lines needs stock any more"
        return paid, *_hold_for_review(command, doubt, paid=True)
    payment = PayOrder(at=command.at, pool=command.pool, order_id=order.internal_order_id, paid_minor=order.paid_minor)
    return _pay(payment, msgspec.structs.replace(seen, rest=Waiting(units, _ship_to(order))))


def _pay(command: PayOrder, seen: Seen) -> Answers:
    """Take the payment of a known order."""
    order_id, at, standing = command.order_id, command.at, seen.standing
    if seen.paid or standing is Standing.REFUND_DUE:
        return (OrderRepeated(order_id=order_id, at=at, from_state=standing, to_state=standing, kind="pay"),)
    if standing is Standing.CANCELLED:
        return (RefundDue(order_id=order_id, at=at, paid_minor=command.paid_minor),)
    if standing is Standing.IN_REVIEW:
        return (
            OrderPaid(order_id=order_id, at=at, from_state=standing, to_state=standing, paid_minor=command.paid_minor),
        )
    if standing is not Standing.AWAIT_PAY or not isinstance(seen.rest, Waiting):
        message = f"order {order_id} is {standing} and unpaid, and nothing says what to hold for it"
        raise InvariantError(message)
    waiting = seen.rest
    return (
        OrderPaid(order_id=order_id, at=at, paid_minor=command.paid_minor),
        PlaceHold(at=at, pool=command.pool, order_id=order_id, units=waiting.units, ship_to=waiting.ship_to),
    )


def _cancel(command: SubmitOrder | CancelOrder, seen: Seen, order_id: str, reason: str) -> Answers:
    """Cancel a known order: here while nothing is held for it, else by way of its hold."""
    at, standing = command.at, seen.standing
    if standing not in CANCELLABLE:
        return (OrderRepeated(order_id=order_id, at=at, from_state=standing, to_state=standing, kind="cancel"),)
    if standing is Standing.PAID:
        return (
            CancelRequested(
                order_id=order_id, at=at, from_state=standing, to_state=Standing.CANCEL_REQUESTED, reason=reason
            ),
            CancelHold(at=at, pool=command.pool, order_id=order_id, reason=reason),
        )
    return (OrderCancelled(order_id=order_id, at=at, from_state=standing, reason=reason),)


def _park(command: PayOrder | CancelOrder, seen: Seen | None) -> Answers:
    """Remember what was said of an order that is not there yet."""
    parked = seen.rest if seen is not None and isinstance(seen.rest, Parked) else Parked()
    order_id, at = command.order_id, command.at
    if isinstance(command, PayOrder):
        if parked.paid_minor is None:
            return (OrderParked(order_id=order_id, at=at, kind="pay", paid_minor=command.paid_minor),)
    elif parked.cancel_reason is None:
        return (OrderParked(order_id=order_id, at=at, kind="cancel", reason=command.reason),)
    kind = "pay" if isinstance(command, PayOrder) else "cancel"
    standing = Standing.PARKED
    return (OrderRepeated(order_id=order_id, at=at, from_state=standing, to_state=standing, kind=kind),)
