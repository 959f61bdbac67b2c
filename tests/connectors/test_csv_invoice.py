from __future__ import annotations

import pytest

from pipeline.connectors.csv_invoice import is_goods
from pipeline.domain.commands import CancelOrder, SubmitOrder
from pipeline.domain.orders import OrderStatus, internal_order_id
from pipeline.errors import PoisonError
from tests.connectors.records import translated

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
FIRST = "536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,1/12/2010,2.55,17850,United Kingdom"
DECEMBER_1_2010 = 1_291_161_600_000


def invoice(*lines: str, header: str = HEADER) -> bytes:
    return "\r\n".join((header, *lines, "")).encode()


def submitted(*lines: str) -> SubmitOrder:
    command = translated(invoice(*lines), platform=b"generic-csv").command
    assert isinstance(command, SubmitOrder)
    return command


def refused(value: bytes) -> PoisonError:
    with pytest.raises(PoisonError) as caught:
        translated(value, platform=b"generic-csv")
    return caught.value


def test_an_invoice_is_a_paid_order() -> None:
    command = submitted(FIRST, FIRST.replace("85123A", "71053").replace(",6,", ",2,"))
    order = command.order
    assert order.internal_order_id == internal_order_id("csv", "invoices", "536365")
    assert [(line.merchant_sku, line.quantity, line.unit_price_minor) for line in order.lines] == [
        ("85123A", 6, 255),
        ("71053", 2, 255),
    ]
    assert (order.status, order.paid_minor) == (OrderStatus.PAID, 8 * 255)
    assert (command.at, order.created_at, order.buyer_id) == (DECEMBER_1_2010, DECEMBER_1_2010, "17850")
    assert (order.province, order.address_detail) == ("United Kingdom", "United Kingdom")
    assert command.envelope.currency == "GBP"


def test_a_byte_order_mark_and_the_shops_own_name_are_understood() -> None:
    arrival = translated(b"\xef\xbb\xbf" + invoice(FIRST), platform=b"generic-csv", shop=b"s1")
    assert (arrival.shop_id, arrival.command.pool) == ("s1", "brand")


def test_a_sku_may_stand_on_several_lines() -> None:
    assert len(submitted(FIRST, FIRST).order.lines) == 2


def test_a_line_that_is_no_goods_is_a_charge() -> None:
    order = submitted(
        FIRST,
        FIRST.replace("85123A", "POST").replace(",6,", ",3,").replace("2.55", "18"),
        FIRST.replace("85123A", "D").replace(",6,", ",-1,").replace("2.55", "0.5"),
    ).order
    assert len(order.lines) == 1
    assert (order.freight_minor, order.discount_seller_minor) == (5400, 50)
    assert order.paid_minor == 6 * 255 + 5400 - 50


@pytest.mark.parametrize("code", ["POST", "DOT", "M", "BANK CHARGES", "D", "C2"])
def test_codes_without_a_digit_are_no_goods(code: str) -> None:
    assert not is_goods(code)
    assert is_goods("85123A")


def test_an_invoice_that_begins_with_c_cancels_the_one_with_its_number() -> None:
    line = FIRST.replace("536365", "C536365").replace(",6,", ",-6,")
    command = translated(invoice(line), platform=b"generic-csv").command
    order_id = internal_order_id("csv", "invoices", "536365")
    assert command == CancelOrder(at=DECEMBER_1_2010, pool="invoices", order_id=order_id, reason="invoice C536365")


def test_an_invoice_without_a_customer_has_no_buyer() -> None:
    assert submitted(FIRST.replace("17850", "")).order.buyer_id == ""


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (",6,", ",-6,", "lines[0].Quantity"),
        (",6,", ",six,", "lines[0].Quantity"),
        (",6,", ",\uff19,", "lines[0].Quantity"),
        (",6,", ",99999999,", "lines[0].Quantity"),
        ("2.55", "2.555", "lines[0].UnitPrice"),
        ("2.55", "-1", "lines[0].UnitPrice"),
        ("2.55", "nan", "lines[0].UnitPrice"),
        ("1/12/2010", "2010-12-01", "lines[0].InvoiceDate"),
        ("1/12/2010", "31/2/2010", "lines[0].InvoiceDate"),
        ("1/12/2010", "1/1/1969", "lines[0].InvoiceDate"),
        ("85123A", "", "lines[0].StockCode"),
        ("536365", "", "lines[0].InvoiceNo"),
        ("United Kingdom", "United,Kingdom", "lines[0]"),
        ("WHITE", "x" * 1025 + ",WHITE", "lines[0]"),
    ],
)
def test_a_column_that_is_wrong_is_named(old: str, new: str, field: str) -> None:
    error = refused(invoice(FIRST.replace(old, new)))
    assert (error.reason, error.field) == ("INVALID", field)


def test_a_record_is_one_invoice_with_its_header() -> None:
    assert refused(invoice(FIRST, FIRST.replace("536365", "536366"))).field == "lines[1].InvoiceNo"
    assert refused(invoice(FIRST, header="a,b")).field == "InvoiceNo"
    assert refused(invoice()).field == "lines"
    assert refused(invoice(*[FIRST] * 1001)).field == "lines"
    assert refused(b'"unclosed').reason == "MALFORMED"
