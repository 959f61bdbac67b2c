"""Orders for the tests: a valid one, of which a test changes what it is about."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.domain.commands import SubmitOrder
from pipeline.domain.orders import (
    Envelope,
    Order,
    OrderLine,
    OrderStatus,
    OrderType,
    ShipTo,
    SkuUnits,
    internal_order_id,
)

POOL = "pool-1"
HOUR_MS = 60 * 60 * 1000
NOON = 1_700_000_000_000
ENVELOPE = Envelope(currency="CNY", source="orders.raw-0-0", payload_sha256="0" * 64, adapter="test/1")
SHIP_TO = ShipTo(
    name="Li Lei", phone="13800000000", province="浙江省", city="杭州市", district="余杭区", address_detail="文一西路 1"
)


def order_id(name: str) -> str:
    """Give the id of the order that the platform calls `name`."""
    return internal_order_id("web", "s1", name)


def lines(**units: int) -> tuple[OrderLine, ...]:
    """Give a line for each SKU."""
    return tuple(
        OrderLine(line_id=str(number), merchant_sku=sku, quantity=count, unit_price_minor=100)
        for number, (sku, count) in enumerate(units.items())
    )


def units(**counts: int) -> tuple[SkuUnits, ...]:
    """Give units by SKU."""
    return tuple(SkuUnits(sku, count) for sku, count in counts.items())


PAID = Order(
    internal_order_id=order_id("A"),
    channel="web",
    shop_id="s1",
    platform_order_id="A",
    order_type=OrderType.NORMAL,
    platform_status="paid",
    status=OrderStatus.PAID,
    buyer_id="b1",
    receiver_key="",
    receiver_name=SHIP_TO.name,
    receiver_phone=SHIP_TO.phone,
    province=SHIP_TO.province,
    city=SHIP_TO.city,
    district=SHIP_TO.district,
    address_detail=SHIP_TO.address_detail,
    lines=lines(X=1),
    freight_minor=0,
    discount_seller_minor=0,
    discount_platform_minor=0,
    paid_minor=100,
    created_at=NOON,
    paid_at=NOON,
    updated_at=NOON,
)


def submit(name: str = "A", *, pool: str = POOL, **changes: Any) -> SubmitOrder:  # noqa: ANN401  any field of Order
    """Submit the order that the platform calls `name`: paid, of one unit of X, except for what is changed."""
    order = msgspec.structs.replace(PAID, internal_order_id=order_id(name), platform_order_id=name, **changes)
    return SubmitOrder(at=order.updated_at, pool=pool, order=order, envelope=ENVELOPE)


def unpaid(name: str = "A", **changes: Any) -> SubmitOrder:  # noqa: ANN401  any field of Order
    """Submit an order that waits for its payment."""
    waiting: dict[str, Any] = {"status": OrderStatus.AWAIT_PAY, "paid_minor": 0, "paid_at": None}
    return submit(name, **(waiting | changes))
