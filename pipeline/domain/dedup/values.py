"""The values of dedup's tables. Each is small, frozen, and put whole; new fields come last, with defaults."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec
from msgspec.structs import astuple

from pipeline.domain.order_commands import ChangeAddress, ExpediteOrder, RequestRefund, TrimOrder
from pipeline.domain.orders import Envelope, Order, OrderStatus, ShipTo, SkuUnits

if TYPE_CHECKING:
    from collections.abc import Mapping

PARKED_ASKS_MAX = 16
"""What may be asked of an order before it comes, beside its payment and its cancellation."""


class Standing(StrEnum):
    """Where an order stands here; the later stages know more of those that are paid."""

    PARKED = "parked"
    AWAIT_PAY = "await_pay"
    PAID = "paid"
    IN_REVIEW = "in_review"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELLED = "cancelled"
    REFUND_DUE = "refund_due"


AWAIT_PAY, PAID = Standing.AWAIT_PAY, Standing.PAID
"""Every order comes by these; an attribute of an enum takes ten times as long to look up as a name."""


class Waiting(msgspec.Struct, frozen=True, array_like=True, tag="w", gc=False):
    """What an order that waits for its payment or for a reviewer asks for when it goes on.

    `order` as it is by now; an entry of an older changelog has none.
    """

    units: tuple[SkuUnits, ...]
    ship_to: ShipTo
    order: Order | None = None
    envelope: Envelope | None = None
    pool: str = ""
    priority: int = 0
    held: bool = False
    """Whether its units are held for a time."""


Ask = ChangeAddress | ExpediteOrder | TrimOrder | RequestRefund


class Parked(msgspec.Struct, frozen=True, array_like=True, tag="p", gc=False):
    """What was said of an order that is not there yet."""

    paid_minor: int | None = None
    cancel_reason: str | None = None
    asks: tuple[Ask, ...] = ()


class Seen(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is remembered of an order. `updated_at` and `rank` are those of the newest state that the platform showed.

    `address` and `goods` are check sums, which say whether an order that went on shows itself changed.
    """

    standing: Standing
    updated_at: int = 0
    paid: bool = False
    rest: Waiting | Parked | None = None
    rank: int = 0
    paid_minor: int = 0
    refunded_minor: int = 0
    """What was given back, or is to be."""
    vip_level: int = 0
    address: int = 0
    goods: int = 0

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


class HoldState(StrEnum):
    """Where a hold for review stands; one that is released or rejected is in the events, and here no more."""

    RAISED = "raised"
    IN_REVIEW = "in_review"
    ESCALATED = "escalated"
    RELEASED = "released"
    REJECTED = "rejected"


class ReviewHold(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One reason why an order is held for review: the rules that gave it, and who looks at it until when."""

    reason: str
    state: HoldState
    raised_at: int
    rules: tuple[str, ...]
    """The ids of all the rules that matched with this reason, by priority."""
    rule_version: str
    twin: str = ""
    """Of a suspected duplicate, the other order."""
    reviewer: str = ""
    leased_until: int = 0


class Review(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order's review: what holds it, and the rules that a reviewer has let pass as long as the order is the same."""

    holds: tuple[ReviewHold, ...] = ()
    approved: tuple[str, ...] = ()


class Twins(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The orders that are held because of one other, in the order in which they came."""

    suspects: tuple[str, ...]


class RefundState(StrEnum):
    """Where a refund stands."""

    REVIEW = "review"
    APPROVED = "approved"
    REJECTED = "rejected"
    REFUNDED = "refunded"


class RefundCase(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A refund: how much, by which tier of which policy, and who has agreed to it so far."""

    state: RefundState
    amount_minor: int
    tier: str
    policy: str
    approvers: tuple[str, ...] = ()

    def is_settled(self) -> bool:
        """Say whether nobody is waited for."""
        return self.state in {RefundState.REJECTED, RefundState.REFUNDED}


RANKS: Mapping[OrderStatus, int] = {OrderStatus.AWAIT_PAY: 0, OrderStatus.PAID: 1, OrderStatus.CANCELLED: 2}
"""Of two states of one time the one with the higher rank counts."""


def address_sum(ship_to: ShipTo) -> int:
    """Give the check sum by which a change of the address is noticed."""
    return crc32("\n".join(astuple(ship_to)).encode())


def goods_sum(units: tuple[SkuUnits, ...]) -> int:
    """Give the check sum by which a change of the units is noticed."""
    return crc32("\n".join([f"{unit.sku} {unit.units}" for unit in units]).encode())
