"""The messages of the platform `generic-json`, as they are on the wire; `generic` documents them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pipeline.domain.order_commands import PRIORITY_MAX, CaseId
from pipeline.domain.orders import ORDER_LINES_MAX, QUANTITY_MAX, Minor, Name, OrderLine, OrderType, Sku, Text, TimeMs

VIP_LEVEL_MAX = 100
Identity = Annotated[str, Meta(min_length=1, max_length=1024)]
Currency = Annotated[str, Meta(min_length=3, max_length=3)]


class Status(StrEnum):
    """Where the shop says that an order stands."""

    UNPAID = "unpaid"
    PAID = "paid"
    CANCELLED = "cancelled"


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", gc=False):
    """What every message says: whose it is."""

    channel: Name
    shop_id: Name
    order_id: Identity


class OrderMessage(Message, frozen=True, kw_only=True, tag="order"):
    """An order, in the state that it has by now."""

    status: Status
    order_type: OrderType = OrderType.NORMAL
    currency: Currency = "CNY"
    created_at: TimeMs
    paid_at: TimeMs | None = None
    updated_at: TimeMs | None = None
    buyer_id: Text = ""
    receiver_key: Text = ""
    receiver_name: Text = ""
    receiver_phone: Text = ""
    province: Text = ""
    city: Text = ""
    district: Text = ""
    address_detail: Text = ""
    freight_minor: Minor = 0
    discount_seller_minor: Minor = 0
    discount_platform_minor: Minor = 0
    paid_minor: Minor = 0
    payment_method: Text = ""
    vip_level: Annotated[int, Meta(ge=0, le=VIP_LEVEL_MAX)] = 0
    fragile: bool = False
    promised_ship_at: TimeMs | None = None
    sub_pool: Literal["stock", "presale", "flash"] = "stock"
    may_split: bool = False
    holds_unpaid: bool = False
    lines: Annotated[tuple[OrderLine, ...], Meta(max_length=ORDER_LINES_MAX)]


class PaymentMessage(Message, frozen=True, kw_only=True, tag="payment"):
    """An order was paid."""

    at: TimeMs
    paid_minor: Minor


class CancellationMessage(Message, frozen=True, kw_only=True, tag="cancellation"):
    """An order is not wanted any more."""

    at: TimeMs
    reason: Text = ""


class AddressMessage(Message, frozen=True, kw_only=True, tag="address"):
    """An order is to go somewhere else."""

    at: TimeMs
    receiver_key: Text = ""
    receiver_name: Text = ""
    receiver_phone: Text = ""
    province: Text = ""
    city: Text = ""
    district: Text = ""
    address_detail: Text = ""
    author: Text = ""


class ExpediteMessage(Message, frozen=True, kw_only=True, tag="expedite"):
    """An order is to go before others."""

    at: TimeMs
    priority: Annotated[int, Meta(ge=1, le=PRIORITY_MAX)]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Units that are not wanted any more."""

    sku: Sku
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]


class PartialCancellationMessage(Message, frozen=True, kw_only=True, tag="partial_cancellation"):
    """A part of an order is not wanted any more."""

    at: TimeMs
    cancellation_id: CaseId
    lines: Annotated[tuple[Part, ...], Meta(min_length=1, max_length=ORDER_LINES_MAX)]
    reason: Text = ""
    author: Text = ""


class RefundMessage(Message, frozen=True, kw_only=True, tag="refund"):
    """Money is to go back."""

    at: TimeMs
    refund_id: CaseId
    amount_minor: Minor
    reason: Text = ""


ChangeMessage = AddressMessage | ExpediteMessage | PartialCancellationMessage
News = PaymentMessage | CancellationMessage | RefundMessage | ChangeMessage
decode_order = msgspec.json.Decoder(OrderMessage).decode
decode_any = msgspec.json.Decoder(OrderMessage | News).decode
