"""Platform `generic-json`: our own format, for shops that can send what they like. One JSON object a record.

An order, new or again, in the state that it has by now:

    {"type": "order", "channel": "web", "shop_id": "s1", "order_id": "A-1001", "status": "paid", "currency": "CNY",
     "created_at": 1490000000000, "paid_at": 1490000000000, "updated_at": 1490000000000,
     "buyer_id": "b7", "receiver_key": "", "receiver_name": "…", "receiver_phone": "…",
     "province": "浙江省", "city": "杭州市", "district": "余杭区", "address_detail": "…",
     "freight_minor": 800, "discount_seller_minor": 0, "discount_platform_minor": 0, "paid_minor": 18600,
     "lines": [{"line_id": "1", "sku": "SKU-A", "quantity": 2, "unit_price_minor": 8900}]}

- Needed: channel, shop_id, order_id, status, created_at, lines (each with line_id, sku, quantity, unit_price_minor).
- `type` may be left out. `status` is `unpaid`, `paid` or `cancelled`. `order_type` is one of `OrderType` (`normal`);
  an unpaid order of type `cod` goes on like a paid one. A line may have a `platform_sku_id`.
- Money is whole minor units of `currency` (ISO 4217; CNY where it is not given), times are milliseconds UTC;
  `updated_at` is `created_at` where it is not given.
- `receiver_key` is the same text for the same receiver, or a digest of phone and address is taken. An order with
  neither a buyer nor a receiver is held for review.
- `channel` and `shop_id` have no `|`. A quantity of 0 is kept and needs no stock.

What happened to an order, where the order itself is not sent again; it may come before its order:

    {"type": "payment", "channel": "web", "shop_id": "s1", "order_id": "A-1001", "at": …, "paid_minor": 18600}
    {"type": "cancellation", "channel": "web", "shop_id": "s1", "order_id": "A-1001", "at": …, "reason": "buyer"}

Unknown fields are ignored.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, assert_never

import msgspec
from msgspec import Meta

from pipeline.connectors.payload import decode_json, receiver_digest
from pipeline.domain.commands import CancelOrder, PayOrder, SubmitOrder
from pipeline.domain.ingest import Arrival
from pipeline.domain.orders import (
    ORDER_LINES_MAX,
    Minor,
    Name,
    Order,
    OrderLine,
    OrderStatus,
    OrderType,
    Text,
    TimeMs,
    internal_order_id,
)

if TYPE_CHECKING:
    from pipeline.connectors.payload import Payload, Reference

ADAPTER = "generic-json/1"
Identity = Annotated[str, Meta(min_length=1, max_length=1024)]
Currency = Annotated[str, Meta(min_length=3, max_length=3)]


class Status(StrEnum):
    """Where the shop says that an order stands."""

    UNPAID = "unpaid"
    PAID = "paid"
    CANCELLED = "cancelled"


STATUS = {
    Status.UNPAID: OrderStatus.AWAIT_PAY,
    Status.PAID: OrderStatus.PAID,
    Status.CANCELLED: OrderStatus.CANCELLED,
}


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    channel: Name
    shop_id: Name
    order_id: Identity


class _Order(_Message, frozen=True, kw_only=True, tag="order"):
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
    lines: Annotated[tuple[OrderLine, ...], Meta(max_length=ORDER_LINES_MAX)]


class _Payment(_Message, frozen=True, kw_only=True, tag="payment"):
    at: TimeMs
    paid_minor: Minor


class _Cancellation(_Message, frozen=True, kw_only=True, tag="cancellation"):
    at: TimeMs
    reason: Text = ""


_decode_order = msgspec.json.Decoder(_Order).decode
_decode_any = msgspec.json.Decoder(_Order | _Payment | _Cancellation).decode


def translate(payload: Payload, reference: Reference) -> Arrival:
    """Translate a message. Raises PoisonError."""
    value = payload.value
    # A record without the word is an order; msgspec insists on the tag only where there is a choice.
    decode = _decode_any if b'"type"' in value else _decode_order
    message: _Order | _Payment | _Cancellation = decode_json(decode, value)
    order_id = internal_order_id(message.channel, message.shop_id, message.order_id)
    pool = reference.pool(message.shop_id)
    command: SubmitOrder | PayOrder | CancelOrder
    match message:
        case _Order():
            order = _order(message, order_id)
            envelope = payload.envelope(message.currency, ADAPTER)
            command = SubmitOrder(at=order.updated_at, pool=pool, order=order, envelope=envelope)
        case _Payment():
            command = PayOrder(at=message.at, pool=pool, order_id=order_id, paid_minor=message.paid_minor)
        case _Cancellation():
            command = CancelOrder(at=message.at, pool=pool, order_id=order_id, reason=message.reason)
        case _:
            assert_never(message)
    return Arrival(command, message.channel, message.shop_id, message.order_id)


def _order(message: _Order, order_id: str) -> Order:
    """Give the canonical order."""
    status = STATUS[message.status]
    if status is OrderStatus.AWAIT_PAY and message.order_type is OrderType.COD:
        status = OrderStatus.PAID
    return Order(
        internal_order_id=order_id,
        channel=message.channel,
        shop_id=message.shop_id,
        platform_order_id=message.order_id,
        order_type=message.order_type,
        platform_status=message.status.value,
        status=status,
        buyer_id=message.buyer_id,
        receiver_key=message.receiver_key
        or receiver_digest(
            message.receiver_phone, message.province, message.city, message.district, message.address_detail
        ),
        receiver_name=message.receiver_name,
        receiver_phone=message.receiver_phone,
        province=message.province,
        city=message.city,
        district=message.district,
        address_detail=message.address_detail,
        lines=message.lines,
        freight_minor=message.freight_minor,
        discount_seller_minor=message.discount_seller_minor,
        discount_platform_minor=message.discount_platform_minor,
        paid_minor=message.paid_minor,
        created_at=message.created_at,
        paid_at=message.paid_at,
        updated_at=message.created_at if message.updated_at is None else message.updated_at,
    )
