"""The orders as a shop pushes them: the platform format `generic-json` (see pipeline/connectors/generic.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from loadtest import canaries
from loadtest.geography import home
from loadtest.journey import CHANNEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadtest.journey import ShopOrder

PLATFORM = "generic-json"
CURRENCY = "USD"
PAID = "paid"
UNPAID = "unpaid"
NEWS_AFTER_MS = 60_000
"""The shop's clock between an order and what happens to it: its payment is a minute later, its cancellation or
another address two."""


def order_fields(order: ShopOrder, *, paid: bool) -> dict[str, object]:
    """Give the fields of an order's message, in the state that the shop shows."""
    province = home(order.buyer)
    return {
        "channel": CHANNEL,
        "shop_id": order.shop_id,
        "order_id": order.order_id,
        "status": PAID if paid else UNPAID,
        "currency": CURRENCY,
        "created_at": order.created_at,
        "paid_at": order.created_at if paid else None,
        "updated_at": order.created_at,
        "buyer_id": order.buyer,
        "receiver_key": order.buyer,
        "receiver_name": f"household {order.buyer} {canaries.OF_NAME}",
        "receiver_phone": f"1{int(order.buyer):010d} {canaries.OF_PHONE}",
        "province": province.name,
        "city": province.capital,
        "district": "",
        "address_detail": f"{order.buyer} Main Street {canaries.OF_ADDRESS}",
        "freight_minor": order.freight_minor,
        "discount_seller_minor": order.discount_seller_minor,
        "discount_platform_minor": order.discount_platform_minor,
        "paid_minor": order.paid_minor if paid else 0,
        "lines": [
            {"line_id": str(place), "sku": sku, "quantity": quantity, "unit_price_minor": price}
            for place, (sku, quantity, price) in enumerate(order.lines, 1)
        ],
    }


def order_message(order: ShopOrder, *, paid: bool) -> bytes:
    """Serialise an order, new or again."""
    return orjson.dumps(order_fields(order, paid=paid))


def payment_message(order: ShopOrder, at: int = 0) -> bytes:
    """Serialise the news that an order was paid, `at` (ms UTC) if not NEWS_AFTER_MS after it was placed."""
    at = at or order.created_at + NEWS_AFTER_MS
    return orjson.dumps(_news(order, "payment", at) | {"paid_minor": order.paid_minor})


def cancellation_message(order: ShopOrder) -> bytes:
    """Serialise the news that a buyer wants an order cancelled."""
    return orjson.dumps(_news(order, "cancellation", order.created_at + 2 * NEWS_AFTER_MS) | {"reason": "buyer"})


def address_message(order: ShopOrder) -> bytes:
    """Serialise the news that an order is to go to another address in the same town."""
    fields = order_fields(order, paid=True)
    kept = {name: fields[name] for name in ("receiver_name", "receiver_phone", "province", "city", "district")}
    moved = {"address_detail": f"{order.buyer} Side Street {canaries.OF_ADDRESS}", "author": "buyer"}
    return orjson.dumps(_news(order, "address", order.created_at + 2 * NEWS_AFTER_MS) | kept | moved)


def _news(order: ShopOrder, kind: str, at: int) -> dict[str, object]:
    return {"type": kind, "channel": CHANNEL, "shop_id": order.shop_id, "order_id": order.order_id, "at": at}


def message_about(order: ShopOrder, kind: str, at: int, fields: Mapping[str, object]) -> bytes:
    """Serialise news of another kind, of the time `at` (ms UTC), with the fields that it has."""
    return orjson.dumps(_news(order, kind, at) | dict(fields))
