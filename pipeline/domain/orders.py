"""The canonical order: 27 fields that every platform's payload is translated to (15 + 5 on each line + 7)."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

ORDER_LINES_MAX = 1000
"""An order with more lines is a dead letter. The longest real one seen has 593."""
QUANTITY_MAX = 1_000_000
MONEY_MINOR_MAX = 10**12
TEXT_CHARACTERS_MAX = 1024
"""The length of any one text field of an order."""
NAME_CHARACTERS_MAX = 128
UNITS_MAX = 10**9
"""The units of one SKU in one order or one stock feed: ORDER_LINES_MAX lines of QUANTITY_MAX."""
TIME_MS_MAX = 7_258_118_400_000
"""The year 2200: every store keeps such times, and a time beyond it is a wrong unit."""

Text = Annotated[str, Meta(max_length=TEXT_CHARACTERS_MAX)]
Sku = Annotated[str, Meta(min_length=1, max_length=TEXT_CHARACTERS_MAX)]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS_MAX, pattern="^[^|]+$")]
"""A channel, a shop, a pool, a warehouse: the parts of compound keys, which `|` separates."""
Quantity = Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
Minor = Annotated[int, Meta(ge=0, le=MONEY_MINOR_MAX)]
TimeMs = Annotated[int, Meta(ge=0, le=TIME_MS_MAX)]
UnitsChange = Annotated[int, Meta(ge=-UNITS_MAX, le=UNITS_MAX)]


class OrderType(StrEnum):
    """How the order was sold."""

    NORMAL = "normal"
    PRESALE_FULL = "presale_full"
    PRESALE_DEPOSIT = "presale_deposit"
    GROUP = "group"
    COD = "cod"
    GIFT = "gift"
    EXCHANGE = "exchange"
    RESEND = "resend"


class OrderStatus(StrEnum):
    """Where the order stands, on the order's own axis (待确认 is AWAIT_PAY, 已锁定 LOCKED, 已发货 OUTBOUND)."""

    RECEIVED = "received"
    AWAIT_PAY = "await_pay"
    PAID = "paid"
    IN_REVIEW = "in_review"
    LOCKED = "locked"
    REFUSED = "refused"
    ROUTED = "routed"
    OUTBOUND = "outbound"
    SIGNED = "signed"
    CANCELLED = "cancelled"


class SubPool(StrEnum):
    """The part of a pool's stock that an order is held from."""

    STOCK = "stock"
    """What is in stock, and not set aside."""
    PRESALE = "presale"
    """What is promised before it arrives; bounded by confirmed inbound."""
    FLASH = "flash"
    """Set aside for a flash sale by a transfer."""
    SAFETY = "safety"
    """Set aside for no one: no order is held from it."""


class OrderLine(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename={"merchant_sku": "sku"}):
    """One line of an order; on the wire the merchant's SKU is `sku`. A quantity of 0 is kept and needs no stock."""

    line_id: Text
    platform_sku_id: Text = ""
    merchant_sku: Sku
    quantity: Quantity
    unit_price_minor: Minor


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order as every stage knows it. Money in minor units, times in milliseconds UTC, null if not reached.

    `status` is what the platform says: AWAIT_PAY, PAID (it may go on) or CANCELLED; what the stages say is in events.
    """

    internal_order_id: str
    channel: str
    shop_id: str
    platform_order_id: str
    order_type: OrderType
    platform_status: str
    status: OrderStatus
    buyer_id: str
    receiver_key: str
    receiver_name: str
    receiver_phone: str
    province: str
    city: str
    district: str
    address_detail: str
    lines: tuple[OrderLine, ...]
    freight_minor: int
    discount_seller_minor: int
    discount_platform_minor: int
    paid_minor: int
    created_at: int
    paid_at: int | None
    updated_at: int


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What is known of an order beside its 27 fields: money's unit, and where the payload came from."""

    currency: str
    source: str
    """The raw record: topic-partition-offset."""
    payload_sha256: str
    adapter: str
    """The connector and its version: `shopify/1`."""
    payment_method: str = ""
    """In the platform's words: `credit_card`."""
    vip_level: int = 0
    fragile: bool = False
    promised_ship_at: int | None = None
    sub_pool: SubPool = SubPool.STOCK
    may_split: bool = False
    """Whether what is there may ship before the rest; otherwise all units are held, or none."""
    holds_unpaid: bool = False
    """Whether the platform takes units off sale when the order is placed, and not when it is paid."""


class SkuUnits(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """So many units of one SKU; on the wire `["SKU-A", 2]`."""

    sku: str
    units: UnitsChange


class ShipTo(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where an order goes. Personal: it travels in commands, never in order.events."""

    name: str
    phone: str
    province: str
    city: str
    district: str
    address_detail: str


def internal_order_id(channel: str, shop_id: str, platform_order_id: str) -> str:
    """Give the order's permanent id, 32 hex digits.

    Channel and id alone collide over the shops of one platform, and without separators "A"+"BC" is "AB"+"C".
    """
    return hashlib.md5(f"{channel}|{shop_id}|{platform_order_id}".encode(), usedforsecurity=False).hexdigest()


def fulfilment_id(order_id: str, number: int) -> str:
    """Give the id of an order's part. Parts count from 1; 0 stands for the order as a whole, where it has no parts."""
    return f"{order_id}-{number}"


def order_of(fulfilment_id: str) -> str:
    """Give the id of the order that a fulfilment order is of."""
    return fulfilment_id.rpartition("-")[0]


def units_to_ship(order: Order) -> tuple[SkuUnits, ...]:
    """Sum the order's lines by SKU, in SKU order: two lines of one SKU are checked against stock as one."""
    units: dict[str, int] = {}
    for line in order.lines:
        if line.quantity > 0:
            units[line.merchant_sku] = units.get(line.merchant_sku, 0) + line.quantity
    return tuple([SkuUnits(sku, units[sku]) for sku in sorted(units)])
