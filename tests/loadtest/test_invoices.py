"""Invoices from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.invoices import read_invoices, schedule_invoices
from loadtest.oracle.asked import ask, order_id_of
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

FILE = """\ufeffInvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,HEART T-LIGHT HOLDER,6,1/12/2010,2.55,17850,United Kingdom
536365,POST,POSTAGE,1,1/12/2010,18,17850,United Kingdom
C536365,85123A,"HEART, RED",-1,1/12/2010,2.55,17850,United Kingdom
536366,22633,WARMER,2,1/12/2010,1.85,,United Kingdom
536366,22633,WARMER,1,1/12/2010,1.85,,United Kingdom
536589,21777,RECIPE BOX WITH METAL HEART,-10,1/12/2010,0,,United Kingdom
"""


def test_lines_of_one_invoice_are_one_record(tmp_path: Path) -> None:
    path = tmp_path / "invoices.csv"
    path.write_text(FILE, encoding="utf-8")
    first, cancelled, second, correction = read_invoices(path)
    assert (first.number, first.buyer, first.goods) == ("536365", "17850", (("85123A", 6),))
    assert cancelled.goods == ()
    assert second.goods == (("22633", 2), ("22633", 1))
    assert [invoice.corrects for invoice in (first, cancelled, second, correction)] == [False, False, False, True]


def test_a_cancellation_stays_behind_its_invoice(tmp_path: Path) -> None:
    path = tmp_path / "invoices.csv"
    path.write_text(FILE, encoding="utf-8")
    records = schedule_invoices(read_invoices(path), 10.0)
    assert records[0].key == records[1].key
    asked = [ask({"platform": record.platform}, record.value or b"") for record in records]
    assert [record.expect for record in records] == ["", "", "", "dead_letter"]
    assert [item.kind for item in asked] == ["order", "cancellation", "order", "order"]
    assert asked[0].order_id == asked[1].order_id == order_id_of("csv", "invoices", "536365")
    assert [dict(item.units) for item in asked] == [{"85123A": 6}, {}, {"22633": 3}, {}]


def test_a_file_without_a_column_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "invoices.csv"
    path.write_text("InvoiceNo,StockCode,Quantity\n1,2,3\n")
    with pytest.raises(SettingsError, match="there is no column CustomerID"):
        read_invoices(path)


@pytest.mark.parametrize(
    "value", [b"", b"{", b"[]", b'{"channel": 1}', b"\xff", b'{"channel":"a","shop_id":"","order_id":"x"}']
)
def test_a_payload_that_does_not_tell_its_order_is_of_no_order(value: bytes) -> None:
    assert ask({}, value).order_id == ""
    assert ask({"platform": "generic-csv"}, value).order_id == ""
    assert ask({"platform": "other"}, value).order_id == ""
