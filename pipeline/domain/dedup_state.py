"""What dedup remembers, and how its facts change that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

import msgspec

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
from pipeline.domain.orders import ShipTo, SkuUnits

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from pipeline.domain.memory import Memory

DUPLICATE_WITHIN_MS = 60 * 60 * 1000
RECENT_WITHIN_MS = 6 * DUPLICATE_WITHIN_MS
"""How far behind a receiver's newest order the others are remembered: one that comes five hours late is compared."""
RECENT_ORDERS_PER_RECEIVER_MAX = 32
"""A receiver with more orders in that time is no household: the oldest are forgotten."""

Event = (
    OrderCreated
    | OrderPaid
    | OrderRepeated
    | OrderParked
    | OrderHeldForReview
    | OrderCancelled
    | CancelRequested
    | RefundDue
)


class Standing(StrEnum):
    """Where an order stands here; the later stages know more of those that are paid."""

    PARKED = "parked"
    AWAIT_PAY = "await_pay"
    PAID = "paid"
    IN_REVIEW = "in_review"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELLED = "cancelled"
    REFUND_DUE = "refund_due"


class Waiting(msgspec.Struct, frozen=True, array_like=True, tag="w", gc=False):
    """What an unpaid order will ask for once it is paid."""

    units: tuple[SkuUnits, ...]
    ship_to: ShipTo


class Parked(msgspec.Struct, frozen=True, array_like=True, tag="p", gc=False):
    """What was said of an order that is not there yet."""

    paid_minor: int | None = None
    cancel_reason: str | None = None


class Seen(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is remembered of an order. `updated_at` is the platform's time of the state that was seen first."""

    standing: Standing
    updated_at: int = 0
    paid: bool = False
    rest: Waiting | Parked | None = None

    def is_settled(self) -> bool:
        """Say whether nothing is waited for."""
        return not isinstance(self.rest, Waiting)


class RecentOrder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order of a receiver; `skus` one a line, which takes a tenth of a tuple's room."""

    created_at: int
    order_id: str
    skus: str


class Receiver(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A receiver's recent orders, by time."""

    recent: tuple[RecentOrder, ...]

    def is_settled(self) -> bool:
        """Give yes: it changes with the receiver's next order, which may never come."""
        return True


@dataclass(frozen=True, slots=True)
class State:
    """`orders` by order id, `receivers` by `pool|receiver key`."""

    orders: Memory[Seen]
    receivers: MutableMapping[str, Receiver]


def evolve(state: State, fact: Event | OrderNoted) -> None:
    """Apply a fact."""
    match fact:
        case OrderCreated():
            state.orders[fact.order_id] = Seen(Standing.AWAIT_PAY, fact.at)
        case OrderNoted():
            _remember(state, fact)
        case OrderPaid():
            seen = state.orders[fact.order_id]
            standing = Standing.PAID if fact.to_state == Standing.PAID else Standing.IN_REVIEW
            state.orders[fact.order_id] = Seen(standing, seen.updated_at, True)  # noqa: FBT003  the field's name is in Seen
        case OrderParked():
            _park(state, fact)
        case OrderHeldForReview():
            _stand(state, fact.order_id, Standing.IN_REVIEW)
        case OrderCancelled():
            _stand(state, fact.order_id, Standing.CANCELLED)
        case CancelRequested():
            _stand(state, fact.order_id, Standing.CANCEL_REQUESTED)
        case RefundDue():
            _stand(state, fact.order_id, Standing.REFUND_DUE)
        case OrderRepeated():
            pass
        case _:
            assert_never(fact)


def _stand(state: State, order_id: str, standing: Standing) -> None:
    """Move an order; what it waited with is not needed any more."""
    seen = state.orders[order_id]
    state.orders[order_id] = Seen(standing, seen.updated_at, seen.paid)


def _park(state: State, fact: OrderParked) -> None:
    seen = state.orders.get(fact.order_id)
    parked = seen.rest if seen is not None and isinstance(seen.rest, Parked) else Parked()
    if fact.kind == "pay":
        parked = Parked(fact.paid_minor, parked.cancel_reason)
    else:
        parked = Parked(parked.paid_minor, fact.reason)
    state.orders[fact.order_id] = Seen(Standing.PARKED, rest=parked)


def _remember(state: State, note: OrderNoted) -> None:
    """Remember a receiver's order, and forget those too old to be compared with any that may still come."""
    if note.ship_to is not None:
        seen = state.orders[note.order_id]
        waiting = Waiting(note.units, note.ship_to)
        state.orders[note.order_id] = Seen(seen.standing, seen.updated_at, seen.paid, waiting)
    if not note.receiver_key:
        return
    key = f"{note.pool}|{note.receiver_key}"
    order = RecentOrder(note.created_at, note.order_id, note.skus)
    receiver = state.receivers.get(key)
    if receiver is None:
        state.receivers[key] = Receiver((order,))
        return
    recent = sorted([*receiver.recent, order], key=_time)
    since = recent[-1].created_at - RECENT_WITHIN_MS
    kept = tuple(order for order in recent if order.created_at >= since)
    state.receivers[key] = Receiver(kept[-RECENT_ORDERS_PER_RECEIVER_MAX:])


def _time(order: RecentOrder) -> tuple[int, str]:
    return order.created_at, order.order_id
