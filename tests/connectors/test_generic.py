from __future__ import annotations

from typing import Any

import pytest

from pipeline.connectors.generic import __doc__ as documentation
from pipeline.domain.commands import CancelOrder, PayOrder, SubmitOrder
from pipeline.domain.order_commands import ChangeAddress, ExpediteOrder, RequestRefund, TrimOrder
from pipeline.domain.orders import ORDER_LINES_MAX, OrderLine, OrderStatus, ShipTo, SkuUnits, internal_order_id
from pipeline.errors import PoisonError
from tests.connectors.records import json_bytes, translated

LINE = {"line_id": "1", "sku": "SKU-A", "quantity": 2, "unit_price_minor": 8900}
ORDER: dict[str, Any] = {
    "channel": "web",
    "shop_id": "s1",
    "order_id": "A-1",
    "status": "paid",
    "currency": "CNY",
    "created_at": 1_490_000_000_000,
    "paid_at": 1_490_000_001_000,
    "updated_at": 1_490_000_002_000,
    "buyer_id": "b7",
    "receiver_key": "r7",
    "receiver_name": "Li Lei",
    "receiver_phone": "138",
    "province": "浙江省",
    "city": "杭州市",
    "district": "余杭区",
    "address_detail": "文一西路 1",
    "freight_minor": 800,
    "discount_seller_minor": 10,
    "discount_platform_minor": 20,
    "paid_minor": 18_570,
    "lines": [LINE],
}


def submitted(**changes: Any) -> SubmitOrder:  # noqa: ANN401  any field of the format
    command = translated(json_bytes(ORDER | changes)).command
    assert isinstance(command, SubmitOrder)
    return command


def refused(**changes: Any) -> PoisonError:  # noqa: ANN401
    with pytest.raises(PoisonError) as caught:
        translated(json_bytes({name: value for name, value in (ORDER | changes).items() if value is not ...}))
    return caught.value


def test_an_order_keeps_all_its_fields() -> None:
    command = submitted()
    order = command.order
    assert (command.at, command.pool) == (ORDER["updated_at"], "brand")
    assert order.internal_order_id == internal_order_id("web", "s1", "A-1")
    assert order.lines == (OrderLine(line_id="1", merchant_sku="SKU-A", quantity=2, unit_price_minor=8900),)
    assert order.status is OrderStatus.PAID
    same = set(ORDER) - {"order_id", "status", "currency", "lines"}
    assert {name: getattr(order, name) for name in same} == {name: ORDER[name] for name in same}


def test_the_envelope_says_where_an_order_came_from() -> None:
    envelope = submitted().envelope
    assert (envelope.source, envelope.adapter, envelope.currency) == ("orders.raw-1-7", "generic-json/2", "CNY")
    assert len(envelope.payload_sha256) == 64


def test_what_need_not_be_said_is_known() -> None:
    value = json_bytes(
        {name: ORDER[name] for name in ("channel", "shop_id", "order_id", "status", "created_at", "lines")}
    )
    command = translated(value).command
    assert isinstance(command, SubmitOrder)
    assert command.order.updated_at == ORDER["created_at"]
    assert (command.order.buyer_id, command.order.receiver_key) == ("", "")


def test_a_shop_without_a_pool_is_its_own() -> None:
    assert submitted(shop_id="s2").pool == "s2"


def test_a_receiver_without_a_key_is_known_by_phone_and_address() -> None:
    first, second = submitted(receiver_key=""), submitted(receiver_key="", receiver_name="Lei Li")
    assert first.order.receiver_key == second.order.receiver_key != ""
    assert submitted(receiver_key="", receiver_phone="139").order.receiver_key != first.order.receiver_key


def test_an_unpaid_order_goes_on_only_if_it_is_cash_on_delivery() -> None:
    assert submitted(status="unpaid").order.status is OrderStatus.AWAIT_PAY
    assert submitted(status="unpaid", order_type="cod").order.status is OrderStatus.PAID
    assert submitted(status="cancelled", order_type="cod").order.status is OrderStatus.CANCELLED


def test_a_quantity_of_zero_and_a_price_of_zero_are_kept() -> None:
    (line,) = submitted(lines=[LINE | {"quantity": 0, "unit_price_minor": 0}]).order.lines
    assert (line.quantity, line.unit_price_minor) == (0, 0)


def test_a_payment_and_a_cancellation_come_without_their_order() -> None:
    news = {"channel": "web", "shop_id": "s1", "order_id": "A-1", "at": 5}
    order_id = internal_order_id("web", "s1", "A-1")
    paid = translated(json_bytes(news | {"type": "payment", "paid_minor": 7}))
    assert paid.command == PayOrder(at=5, pool="brand", order_id=order_id, paid_minor=7)
    cancelled = translated(json_bytes(news | {"type": "cancellation", "reason": "buyer"}))
    assert cancelled.command == CancelOrder(at=5, pool="brand", order_id=order_id, reason="buyer")


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"lines": [LINE, LINE, LINE | {"quantity": -1}]}, "lines[2].quantity", ">= 0"),
        ({"lines": [LINE | {"quantity": 1.5}]}, "lines[0].quantity", "got `float`"),
        ({"lines": [LINE | {"quantity": 10**7}]}, "lines[0].quantity", "<= 1000000"),
        ({"lines": [LINE | {"sku": ""}]}, "lines[0].sku", "length >= 1"),
        ({"lines": [LINE] * (ORDER_LINES_MAX + 1)}, "lines", "length <= 1000"),
        ({"lines": ...}, "", "missing required field `lines`"),
        ({"paid_minor": -1}, "paid_minor", ">= 0"),
        ({"status": "shipped"}, "status", "Invalid enum value 'shipped'"),
        ({"shop_id": "a|b"}, "shop_id", "regex"),
        ({"channel": ""}, "channel", "length >= 1"),
        ({"created_at": "2026-01-01"}, "created_at", "got `str`"),
        ({"address_detail": "x" * 1025}, "address_detail", "length <= 1024"),
        ({"type": "return"}, "type", "Invalid value 'return'"),
        ({"vip_level": 101}, "vip_level", "<= 100"),
        ({"sub_pool": "safety"}, "sub_pool", "Invalid enum value 'safety'"),
        ({"promised_ship_at": -1}, "promised_ship_at", ">= 0"),
        ({"type": "expedite", "at": 1, "priority": 0}, "priority", ">= 1"),
        ({"type": "refund", "at": 1, "refund_id": ""}, "refund_id", "length >= 1"),
        ({"type": "partial_cancellation", "at": 1, "cancellation_id": "c", "lines": []}, "lines", "length >= 1"),
        ({"order_id": 5}, "order_id", "got `int`"),
    ],
)
def test_a_field_that_is_wrong_is_named(changes: dict[str, Any], field: str, message: str) -> None:
    error = refused(**changes)
    assert (error.reason, error.field) == ("INVALID", field)
    assert message in str(error)


def test_the_longest_order_is_read() -> None:
    assert len(submitted(lines=[LINE] * ORDER_LINES_MAX).order.lines) == ORDER_LINES_MAX


def test_an_order_says_how_it_was_paid_who_bought_it_and_how_it_is_held() -> None:
    more = {
        "payment_method": "credit_card",
        "vip_level": 3,
        "fragile": True,
        "promised_ship_at": 5,
        "sub_pool": "flash",
        "may_split": True,
        "holds_unpaid": True,
    }
    envelope = submitted(**more).envelope
    assert {name: getattr(envelope, name) for name in more} == more
    assert all(f"`{name}`" in documentation for name in more)


def test_changes_and_refunds_come_without_their_order() -> None:
    news = {"channel": "web", "shop_id": "s1", "order_id": "A-1", "at": 5}
    base: dict[str, Any] = {"at": 5, "pool": "brand", "order_id": internal_order_id("web", "s1", "A-1")}
    address = {"receiver_name": "Han Meimei", "receiver_phone": "139", "city": "宁波市", "author": "buyer"}
    moved = translated(json_bytes(news | {"type": "address"} | address)).command
    ship_to = ShipTo(name="Han Meimei", phone="139", province="", city="宁波市", district="", address_detail="")
    assert isinstance(moved, ChangeAddress)
    assert moved == ChangeAddress(**base, ship_to=ship_to, receiver_key=moved.receiver_key, author="buyer")
    assert moved.receiver_key
    expedited = translated(json_bytes(news | {"type": "expedite", "priority": 9})).command
    assert expedited == ExpediteOrder(**base, priority=9)
    part = {"cancellation_id": "c1", "lines": [{"sku": "X", "quantity": 2}], "reason": "buyer"}
    trimmed = translated(json_bytes(news | {"type": "partial_cancellation"} | part)).command
    assert trimmed == TrimOrder(**base, trim_id="c1", units=(SkuUnits("X", 2),), reason="buyer")
    refund: dict[str, Any] = {"refund_id": "r1", "amount_minor": 7, "reason": "broken"}
    assert translated(json_bytes(news | {"type": "refund"} | refund)).command == RequestRefund(**base, **refund)


def test_the_documentation_names_every_field_of_an_order() -> None:
    assert all(f'"{name}"' in documentation for name in (*ORDER, *LINE, "type"))
