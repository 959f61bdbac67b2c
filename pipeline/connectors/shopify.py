"""Platform `shopify`: order webhooks as Shopify sends them, with the request's headers as the record's headers.

Topics: orders/create, orders/updated, orders/paid, orders/cancelled. Each carries the whole order, so each shows the
order in its state by now, and it does not matter which comes first (orders/paid may precede orders/create).

`X-Shopify-Hmac-SHA256` is base64(HMAC-SHA256(raw body, the app's client secret)); it is checked before anything is read
of the body, in constant time, with each secret of HOLDFAST_SHOPIFY_SECRETS (two while one is rotated). Where no secret
is set, every Shopify record is refused: who could not have been checked is not let in.

What a field means: https://shopify.dev/docs/api/admin-rest (Order). Choices of ours:
- A line's quantity is what is still to ship (`fulfillable_quantity`), and 0 if the line needs no shipping.
- A line without a SKU goes by its variant's id, or by its own.
- Paid means financial_status paid or partially_refunded. An order that is cancelled, refunded or voided is cancelled.
  Any other status (authorized, partially_paid, one that we do not know) waits for its payment.
- Shopify gives no time of payment: `processed_at` stands for it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from pipeline.connectors.money import minor_units
from pipeline.connectors.payload import decode_json, name_from, receiver_digest
from pipeline.domain import reasons
from pipeline.domain.commands import SubmitOrder
from pipeline.domain.ingest import Arrival
from pipeline.domain.orders import (
    MONEY_MINOR_MAX,
    ORDER_LINES_MAX,
    Order,
    OrderLine,
    OrderStatus,
    OrderType,
    Quantity,
    Text,
    internal_order_id,
)
from pipeline.errors import PoisonError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.connectors.payload import Payload, Reference

ADAPTER = "shopify/1"
CHANNEL = "shopify"
CANCELLED_TOPIC = "orders/cancelled"
TOPICS = ("orders/create", "orders/updated", "orders/paid", CANCELLED_TOPIC)
PAID = frozenset({"paid", "partially_refunded"})
CLOSED = frozenset({"refunded", "voided"})
ALLOCATIONS_MAX = 1000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Time = Annotated[datetime, Meta(tz=True)]


class _Amount(msgspec.Struct, frozen=True, gc=False):
    amount: Text


class _Line(msgspec.Struct, frozen=True):
    id: Id
    price: Text
    quantity: Quantity
    sku: Text | None = None
    variant_id: Id | None = None
    fulfillable_quantity: Quantity | None = None
    requires_shipping: bool = True
    discount_allocations: Annotated[tuple[_Amount, ...], Meta(max_length=ALLOCATIONS_MAX)] = ()


class _Price(msgspec.Struct, frozen=True, gc=False):
    price: Text


class _Customer(msgspec.Struct, frozen=True, gc=False):
    id: Id | None = None


class _Address(msgspec.Struct, frozen=True, gc=False):
    name: Text | None = None
    phone: Text | None = None
    address1: Text | None = None
    address2: Text | None = None
    city: Text | None = None
    province: Text | None = None
    country: Text | None = None
    zip: Text | None = None


class _Order(msgspec.Struct, frozen=True, kw_only=True):
    id: Id
    created_at: Time
    updated_at: Time
    processed_at: Time | None = None
    cancelled_at: Time | None = None
    cancel_reason: Text | None = None
    currency: Annotated[str, Meta(min_length=3, max_length=3)]
    total_price: Text
    financial_status: Text | None = None
    fulfillment_status: Text | None = None
    line_items: Annotated[tuple[_Line, ...], Meta(max_length=ORDER_LINES_MAX)]
    shipping_lines: Annotated[tuple[_Price, ...], Meta(max_length=ORDER_LINES_MAX)] = ()
    shipping_address: _Address | None = None
    customer: _Customer | None = None


_decode = msgspec.json.Decoder(_Order).decode


def translate(payload: Payload, reference: Reference) -> Arrival:
    """Check the signature and translate the order. Raises PoisonError."""
    check_signature(payload, reference.shopify_secrets)
    shop_id = name_from(payload.header("X-Shopify-Shop-Domain"), "headers.X-Shopify-Shop-Domain")
    topic = payload.header("X-Shopify-Topic").decode(errors="replace")
    if topic not in TOPICS:
        message = f"wanted one of {', '.join(TOPICS)}, got {topic[:100]!r}"
        raise PoisonError(reasons.INVALID, message, "headers.X-Shopify-Topic")
    shown: _Order = decode_json(_decode, payload.value)
    order = _order(shown, shop_id, topic)
    command = SubmitOrder(
        at=order.updated_at,
        pool=reference.pool(shop_id),
        order=order,
        envelope=payload.envelope(shown.currency, ADAPTER),
    )
    return Arrival(command, CHANNEL, shop_id, order.platform_order_id)


def signature(body: bytes, secret: bytes) -> bytes:
    """Sign a body as Shopify does."""
    return base64.b64encode(hmac.digest(secret, body, hashlib.sha256))


def check_signature(payload: Payload, secrets: Sequence[bytes]) -> None:
    """Raise PoisonError unless one of the secrets made the signature. All are tried, so that time tells nothing."""
    field = "headers.X-Shopify-Hmac-SHA256"
    if not secrets:
        message = "no secret is set: put the app's client secret into HOLDFAST_SHOPIFY_SECRETS"
        raise PoisonError(reasons.BAD_SIGNATURE, message, field)
    given = payload.header("X-Shopify-Hmac-SHA256")
    if not given:
        raise PoisonError(reasons.BAD_SIGNATURE, "the record has no signature", field)
    if not sum(hmac.compare_digest(signature(payload.value, secret), given) for secret in secrets):
        raise PoisonError(reasons.BAD_SIGNATURE, "no secret of HOLDFAST_SHOPIFY_SECRETS made this signature", field)


def _order(message: _Order, shop_id: str, topic: str) -> Order:
    """Give the canonical order."""
    currency = message.currency
    status = _status(message, topic)
    address = message.shipping_address or _Address()
    street = " ".join(filter(None, (address.address1, address.address2, address.zip)))
    place = (address.province or address.country or "", address.city or "")
    customer_id = message.customer.id if message.customer else None
    return Order(
        internal_order_id=internal_order_id(CHANNEL, shop_id, str(message.id)),
        channel=CHANNEL,
        shop_id=shop_id,
        platform_order_id=str(message.id),
        order_type=OrderType.NORMAL,
        platform_status=_platform_status(message),
        status=status,
        buyer_id="" if customer_id is None else str(customer_id),
        receiver_key=receiver_digest(address.phone or "", *place, street),
        receiver_name=address.name or "",
        receiver_phone=address.phone or "",
        province=place[0],
        city=place[1],
        district="",
        address_detail=street,
        lines=tuple(_line(line, currency, place) for place, line in enumerate(message.line_items)),
        freight_minor=_freight(message),
        discount_seller_minor=_discounts(message),
        discount_platform_minor=0,
        paid_minor=_price(message.total_price, currency, "total_price") if status is OrderStatus.PAID else 0,
        created_at=_milliseconds(message.created_at, "created_at"),
        paid_at=_milliseconds(message.processed_at or message.updated_at, "processed_at")
        if status is OrderStatus.PAID
        else None,
        updated_at=_milliseconds(message.updated_at, "updated_at"),
    )


def _status(message: _Order, topic: str) -> OrderStatus:
    if message.cancelled_at is not None or topic == CANCELLED_TOPIC or message.financial_status in CLOSED:
        return OrderStatus.CANCELLED
    return OrderStatus.PAID if message.financial_status in PAID else OrderStatus.AWAIT_PAY


def _platform_status(message: _Order) -> str:
    """Keep what Shopify says, as it says it."""
    words = [message.financial_status or "", message.fulfillment_status or ""]
    if message.cancelled_at is not None:
        words.append(f"cancelled: {message.cancel_reason or 'no reason'}")
    return " / ".join(words)


def _line(line: _Line, currency: str, place: int) -> OrderLine:
    to_ship = line.quantity if line.fulfillable_quantity is None else line.fulfillable_quantity
    variant = "" if line.variant_id is None else str(line.variant_id)
    return OrderLine(
        line_id=str(line.id),
        platform_sku_id=variant,
        merchant_sku=line.sku or variant or str(line.id),
        quantity=to_ship if line.requires_shipping else 0,
        unit_price_minor=_price(line.price, currency, f"line_items[{place}].price"),
    )


def _price(text: str, currency: str, field: str) -> int:
    minor = minor_units(text, currency, field)
    if minor < 0:
        raise PoisonError(reasons.INVALID, f"below 0: {text}", field)
    return minor


def _freight(message: _Order) -> int:
    prices = [
        _price(line.price, message.currency, f"shipping_lines[{place}].price")
        for place, line in enumerate(message.shipping_lines)
    ]
    return _total(prices, "shipping_lines")


def _discounts(message: _Order) -> int:
    amounts = [
        _price(share.amount, message.currency, f"line_items[{place}].discount_allocations[{number}].amount")
        for place, line in enumerate(message.line_items)
        for number, share in enumerate(line.discount_allocations)
    ]
    return _total(amounts, "line_items")


def _total(amounts: Sequence[int], field: str) -> int:
    total = sum(amounts)
    if total > MONEY_MINOR_MAX:
        raise PoisonError(reasons.INVALID, "adds up to more than any order's money", field)
    return total


def _milliseconds(time: datetime, field: str) -> int:
    milliseconds = (time - EPOCH) // MILLISECOND
    if milliseconds < 0:
        raise PoisonError(reasons.INVALID, f"before 1970: {time.isoformat()}", field)
    return milliseconds
