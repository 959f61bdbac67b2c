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
  `updated_at` is `created_at` where it is not given. What is dated more than a day ahead of the broker's clock is
  refused, and so is an order that was created more than a day after `updated_at`.
- `receiver_key` is the same text for the same receiver, or a digest of phone and address is taken. An order with
  neither a buyer nor a receiver is held for review.
- `channel` and `shop_id` have no `|`. A quantity of 0 is kept and needs no stock.
- What else an order may say, for the review rules and for how it is held: `payment_method` (a text such as
  `credit_card`), `vip_level` (0 to 100), `fragile`, `promised_ship_at`, `sub_pool` (`stock`, `presale` or `flash`: what
  it is held from), `may_split` (what is there may ship first), `holds_unpaid` (units go off sale when the order is
  placed, and not when it is paid).

What happened to an order, where the order itself is not sent again; it may come before its order. All begin with
`"channel": "web", "shop_id": "s1", "order_id": "A-1001", "at": 1490000000000`, and go on with:

    "type": "payment", "paid_minor": 18600
    "type": "cancellation", "reason": "buyer"
    "type": "address", "receiver_name": "…", "receiver_phone": "…", "province": "…", "city": "…", "district": "…",
        "address_detail": "…", "receiver_key": "", "author": "buyer"
    "type": "expedite", "priority": 100
    "type": "partial_cancellation", "cancellation_id": "C-1", "lines": [{"sku": "SKU-A", "quantity": 1}],
        "reason": "buyer", "author": "buyer"
    "type": "refund", "refund_id": "R-1", "amount_minor": 8900, "reason": "broken"

- A `cancellation_id` and a `refund_id` count once in their order. An address is whole: what is left out is empty.
- `priority` is 1 to 1000; orders without one have 0.

Unknown fields are ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from pipeline.connectors.generic_messages import (
    AddressMessage,
    CancellationMessage,
    ChangeMessage,
    ExpediteMessage,
    News,
    OrderMessage,
    PartialCancellationMessage,
    PaymentMessage,
    RefundMessage,
    Status,
    decode_any,
    decode_order,
)
from pipeline.connectors.payload import decode_json, receiver_digest
from pipeline.domain.commands import CancelOrder, PayOrder, SubmitOrder
from pipeline.domain.ingest import Arrival
from pipeline.domain.order_commands import ChangeAddress, ExpediteOrder, RequestRefund, TrimOrder
from pipeline.domain.orders import Envelope, Order, OrderStatus, OrderType, ShipTo, SkuUnits, SubPool, internal_order_id

if TYPE_CHECKING:
    from pipeline.connectors.payload import Payload, Reference
    from pipeline.domain.order_commands import OrderNews

ADAPTER = "generic-json/2"
STATUS = {
    Status.UNPAID: OrderStatus.AWAIT_PAY,
    Status.PAID: OrderStatus.PAID,
    Status.CANCELLED: OrderStatus.CANCELLED,
}
SUB_POOLS = {pool.value: pool for pool in SubPool}
AWAIT_PAY, COD = OrderStatus.AWAIT_PAY, OrderType.COD
"""As SUB_POOLS, for speed: what an enum looks up takes ten times as long as a name."""


def translate(payload: Payload, reference: Reference) -> Arrival:
    """Translate a message. Raises PoisonError."""
    value = payload.value
    # A record without the word is an order; msgspec insists on the tag only where there is a choice.
    decode = decode_any if b'"type"' in value else decode_order
    message: OrderMessage | News = decode_json(decode, value)
    order_id = internal_order_id(message.channel, message.shop_id, message.order_id)
    pool = reference.pool(message.shop_id)
    command: OrderNews
    if isinstance(message, OrderMessage):
        order = _order(message, order_id)
        envelope = _envelope(message, payload)
        command = SubmitOrder(at=order.updated_at, pool=pool, order=order, envelope=envelope)
    else:
        command = _news(message, pool, order_id)
    return Arrival(command, message.channel, message.shop_id, message.order_id)


def _news(message: News, pool: str, order_id: str) -> OrderNews:
    """Give the command of a message about an order."""
    at = message.at
    match message:
        case PaymentMessage():
            return PayOrder(at=at, pool=pool, order_id=order_id, paid_minor=message.paid_minor)
        case CancellationMessage():
            return CancelOrder(at=at, pool=pool, order_id=order_id, reason=message.reason)
        case RefundMessage():
            amount_minor, reason = message.amount_minor, message.reason
            refund_id = message.refund_id
            return RequestRefund(
                at=at, pool=pool, order_id=order_id, refund_id=refund_id, amount_minor=amount_minor, reason=reason
            )
        case _:
            return _change(message, pool, order_id)


def _change(message: ChangeMessage, pool: str, order_id: str) -> OrderNews:
    at = message.at
    match message:
        case AddressMessage():
            ship_to = ShipTo(
                name=message.receiver_name,
                phone=message.receiver_phone,
                province=message.province,
                city=message.city,
                district=message.district,
                address_detail=message.address_detail,
            )
            author, key = message.author, _receiver_key(message)
            return ChangeAddress(at=at, pool=pool, order_id=order_id, ship_to=ship_to, receiver_key=key, author=author)
        case ExpediteMessage():
            return ExpediteOrder(at=at, pool=pool, order_id=order_id, priority=message.priority)
        case PartialCancellationMessage():
            return TrimOrder(
                at=at,
                pool=pool,
                order_id=order_id,
                trim_id=message.cancellation_id,
                units=tuple(SkuUnits(part.sku, part.quantity) for part in message.lines),
                reason=message.reason,
                author=message.author,
            )
        case _:
            assert_never(message)


def _receiver_key(message: OrderMessage | AddressMessage) -> str:
    return message.receiver_key or receiver_digest(
        message.receiver_phone, message.province, message.city, message.district, message.address_detail
    )


def _envelope(message: OrderMessage, payload: Payload) -> Envelope:
    return Envelope(
        currency=message.currency,
        source=payload.source,
        payload_sha256=payload.sha256,
        adapter=ADAPTER,
        payment_method=message.payment_method,
        vip_level=message.vip_level,
        fragile=message.fragile,
        promised_ship_at=message.promised_ship_at,
        sub_pool=SUB_POOLS[message.sub_pool],
        may_split=message.may_split,
        holds_unpaid=message.holds_unpaid,
    )


def _order(message: OrderMessage, order_id: str) -> Order:
    """Give the canonical order."""
    status = STATUS[message.status]
    if status is AWAIT_PAY and message.order_type is COD:
        status = OrderStatus.PAID
    return Order(
        internal_order_id=order_id,
        channel=message.channel,
        shop_id=message.shop_id,
        platform_order_id=message.order_id,
        order_type=message.order_type,
        platform_status=str(message.status),
        status=status,
        buyer_id=message.buyer_id,
        receiver_key=_receiver_key(message),
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
