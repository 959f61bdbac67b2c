from __future__ import annotations

import copy
from typing import Any

import pytest

from pipeline.connectors.payload import Reference
from pipeline.connectors.shopify import signature
from pipeline.domain.commands import SubmitOrder
from pipeline.domain.orders import OrderLine, OrderStatus, internal_order_id
from pipeline.errors import PoisonError
from tests.connectors.records import REFERENCE, json_bytes, translated

SECRET = b"hush"
SHOP = b"brand.myshopify.com"
ORDER: dict[str, Any] = {
    "id": 820982911946154508,
    "name": "#9999",
    "created_at": "2026-11-10T11:00:03-05:00",
    "updated_at": "2026-11-10T11:00:10-05:00",
    "processed_at": "2026-11-10T11:00:03-05:00",
    "cancelled_at": None,
    "currency": "USD",
    "total_price": "46.00",
    "financial_status": "paid",
    "fulfillment_status": None,
    "line_items": [
        {
            "id": 466157049,
            "variant_id": 39072856,
            "sku": "SKU-A-RED",
            "quantity": 3,
            "price": "15.00",
            "discount_allocations": [{"amount": "5.00", "discount_application_index": 0}],
            "fulfillable_quantity": 3,
            "requires_shipping": True,
        }
    ],
    "shipping_lines": [{"title": "Standard", "code": "STD", "price": "6.00"}],
    "shipping_address": {
        "name": "Jane Doe",
        "address1": "1 Main St",
        "address2": "",
        "city": "Ottawa",
        "province": "Ontario",
        "country": "Canada",
        "zip": "K1A 0B1",
        "phone": "+16135550000",
    },
}
"""A webhook's payload, shortened."""


def changed(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  any field of the format
    return copy.deepcopy(ORDER) | changes


def with_line(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return changed(line_items=[ORDER["line_items"][0] | changes])


def headers(value: bytes, topic: bytes = b"orders/create", secret: bytes = SECRET) -> dict[str, bytes]:
    return {
        "platform": b"shopify",
        "x_shopify_topic": topic,
        "X_Shopify_Hmac_SHA256": signature(value, secret),
        "X_Shopify_Shop_Domain": SHOP,
    }


def submitted(fields: dict[str, Any], topic: bytes = b"orders/create") -> SubmitOrder:
    value = json_bytes(fields)
    command = translated(value, **headers(value, topic)).command
    assert isinstance(command, SubmitOrder)
    return command


def refused(value: bytes, reference: Reference = REFERENCE, **changes: bytes) -> PoisonError:
    with pytest.raises(PoisonError) as caught:
        translated(value, reference, **(headers(value) | changes))
    return caught.value


def test_the_signature_is_the_published_one() -> None:
    body = b'{"id":820982911946154508,"name":"#9999"}'
    assert signature(body, b"hush") == b"YBwnJ9vsibq7srObgXybmGHWuwos+jDEL//7749XS78="


def test_an_order_is_read_with_exact_money_and_times() -> None:
    command = submitted(ORDER)
    order = command.order
    assert order.internal_order_id == internal_order_id("shopify", SHOP.decode(), "820982911946154508")
    assert order.lines == (
        OrderLine(
            line_id="466157049",
            platform_sku_id="39072856",
            merchant_sku="SKU-A-RED",
            quantity=3,
            unit_price_minor=1500,
        ),
    )
    assert (order.freight_minor, order.discount_seller_minor, order.paid_minor) == (600, 500, 4600)
    assert order.created_at == 1_794_326_403_000
    assert command.at == order.updated_at == 1_794_326_410_000
    assert (order.province, order.city, order.receiver_name) == ("Ontario", "Ottawa", "Jane Doe")
    assert (order.buyer_id, bool(order.receiver_key)) == ("", True)
    assert (order.status, command.pool) == (OrderStatus.PAID, SHOP.decode())


@pytest.mark.parametrize(
    ("currency", "price", "minor"),
    [("JPY", "1500", 1500), ("KWD", "1.234", 1234), ("USD", "0.1", 10), ("JPY", "5.00", 5)],
)
def test_minor_units_depend_on_the_currency(currency: str, price: str, minor: int) -> None:
    fields = with_line(price=price, discount_allocations=[]) | {
        "currency": currency,
        "total_price": price,
        "shipping_lines": [],
    }
    assert submitted(fields).order.lines[0].unit_price_minor == minor


def test_a_line_without_a_sku_goes_by_its_variant_or_by_itself() -> None:
    assert submitted(with_line(sku=None)).order.lines[0].merchant_sku == "39072856"
    assert submitted(with_line(sku="", variant_id=None)).order.lines[0].merchant_sku == "466157049"


def test_a_lines_quantity_is_what_is_still_to_ship() -> None:
    assert submitted(with_line(fulfillable_quantity=1)).order.lines[0].quantity == 1
    assert submitted(with_line(fulfillable_quantity=None)).order.lines[0].quantity == 3
    assert submitted(with_line(requires_shipping=False)).order.lines[0].quantity == 0


@pytest.mark.parametrize(
    ("changes", "topic", "status"),
    [
        ({}, b"orders/paid", OrderStatus.PAID),
        ({"financial_status": "partially_refunded"}, b"orders/updated", OrderStatus.PAID),
        ({"financial_status": "pending"}, b"orders/create", OrderStatus.AWAIT_PAY),
        ({"financial_status": "something new"}, b"orders/create", OrderStatus.AWAIT_PAY),
        ({"financial_status": None}, b"orders/create", OrderStatus.AWAIT_PAY),
        ({"financial_status": "refunded"}, b"orders/updated", OrderStatus.CANCELLED),
        ({"cancelled_at": "2026-11-10T12:00:00Z"}, b"orders/updated", OrderStatus.CANCELLED),
        ({}, b"orders/cancelled", OrderStatus.CANCELLED),
    ],
)
def test_an_orders_status_follows_from_what_shopify_says(
    changes: dict[str, Any], topic: bytes, status: OrderStatus
) -> None:
    order = submitted(changed(**changes), topic).order
    assert order.status is status
    assert (order.paid_minor > 0) == (order.paid_at is not None) == (status is OrderStatus.PAID)


def test_either_secret_is_good_while_one_is_rotated() -> None:
    value = json_bytes(ORDER)
    both = Reference({}, (b"new", SECRET))
    for secret in both.shopify_secrets:
        assert translated(value, both, **headers(value, secret=secret)).channel == "shopify"


def test_what_is_not_signed_is_not_let_in() -> None:
    value = json_bytes(ORDER)
    for error in (
        refused(value, X_Shopify_Hmac_SHA256=b""),
        refused(value, X_Shopify_Hmac_SHA256=signature(value, b"guess")),
        refused(value, X_Shopify_Hmac_SHA256=b"\xff" * 44),
        refused(value + b" ", X_Shopify_Hmac_SHA256=signature(value, SECRET)),
    ):
        assert error.reason == "BAD_SIGNATURE"
    assert "has no signature" in str(refused(value, X_Shopify_Hmac_SHA256=b""))
    unset = refused(value, Reference({}))
    assert unset.reason == "BAD_SIGNATURE"
    assert "HOLDFAST_SHOPIFY_SECRETS" in str(unset)


def test_the_signature_is_checked_before_the_body_is_read() -> None:
    assert refused(b"{", X_Shopify_Hmac_SHA256=b"x").reason == "BAD_SIGNATURE"
    assert refused(b"{").reason == "MALFORMED"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        (with_line(price="15.001"), "line_items[0].price"),
        (with_line(price="-1.00"), "line_items[0].price"),
        (with_line(price="1e3"), "line_items[0].price"),
        (with_line(quantity=-1), "line_items[0].quantity"),
        (with_line(discount_allocations=[{"amount": "NaN"}]), "line_items[0].discount_allocations[0].amount"),
        (changed(total_price="99999999999999.00"), "total_price"),
        (changed(updated_at="2026-11-10T11:00:10"), "updated_at"),
        (changed(created_at="1950-01-01T00:00:00Z"), "created_at"),
        (changed(id="x"), "id"),
    ],
)
def test_a_field_that_is_wrong_is_named(fields: dict[str, Any], field: str) -> None:
    error = refused(json_bytes(fields))
    assert (error.reason, error.field) == ("INVALID", field)


def test_a_header_that_is_wrong_is_named() -> None:
    value = json_bytes(ORDER)
    assert refused(value, x_shopify_topic=b"products/create").field == "headers.X-Shopify-Topic"
    assert refused(value, X_Shopify_Shop_Domain=b"").field == "headers.X-Shopify-Shop-Domain"
    assert refused(value, X_Shopify_Shop_Domain=b"a|b").field == "headers.X-Shopify-Shop-Domain"
