"""Platform `generic-csv`: one invoice a record, as the lines of a spreadsheet with their header.

The columns are those of *Online Retail* (Daqing Chen, UCI Machine Learning Repository, DOI 10.24432/C5BW33):

    InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
    536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,1/12/2010,2.55,17850,United Kingdom

UTF-8, a byte order mark is let pass. The record header `shop` names the shop (`invoices` where there is none); the
channel is `csv`, the platform's order id is InvoiceNo.

- All lines have one InvoiceNo. A SKU may stand on several lines. InvoiceDate is day/month/year: the order's times are
  the beginning of that day, UTC. Prices are GBP. An invoice is a paid order.
- CustomerID is the buyer; there is no receiver, and Country, all that is told of the address, stands for the province
  too. An invoice without a customer is held for review.
- A code without a digit, and C2, is no goods (POST, DOT, C2: carriage; M, BANK CHARGES: manual; D: discount). Such a
  line needs no stock: its amount is freight, or the seller's discount if it is D or below 0.
- An invoice that begins with C is a cancellation. It does not name what it cancels: it is taken to cancel the invoice
  with its number without the C, and where there is none of that number it stays parked, as an event says.
- Any other quantity below 0 (a stock correction among the invoices) is refused.
"""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from pipeline.connectors.money import minor_units
from pipeline.connectors.payload import name_from
from pipeline.domain import reasons
from pipeline.domain.commands import CancelOrder, SubmitOrder
from pipeline.domain.ingest import Arrival
from pipeline.domain.orders import (
    MONEY_MINOR_MAX,
    ORDER_LINES_MAX,
    QUANTITY_MAX,
    TEXT_CHARACTERS_MAX,
    Order,
    OrderLine,
    OrderStatus,
    OrderType,
    internal_order_id,
)
from pipeline.errors import PoisonError

if TYPE_CHECKING:
    from pipeline.connectors.payload import Payload, Reference

ADAPTER = "generic-csv/1"
CHANNEL = "csv"
DEFAULT_SHOP = b"invoices"
CURRENCY = "GBP"
COLUMNS = ("InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
CANCELLATION = "C"
DISCOUNT_CODE = "D"
CARRIAGE_CODE = "C2"
"""The one code of the data that has a digit and is no goods."""

_INTEGER = re.compile(r"-?[0-9]{1,9}")
_DATE = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")


class _Row(NamedTuple):
    invoice: str
    code: str
    quantity: str
    date: str
    price: str
    customer: str
    country: str


class _Sums(NamedTuple):
    """An invoice's lines of goods, and its money in pence."""

    lines: tuple[OrderLine, ...]
    goods_minor: int
    freight_minor: int
    discount_minor: int


def translate(payload: Payload, reference: Reference) -> Arrival:
    """Translate an invoice. Raises PoisonError, which counts the lines below the header from 0."""
    shop_id = name_from(payload.header("shop") or DEFAULT_SHOP, "headers.shop")
    rows = _read(payload.value)
    first = rows[0]
    at = _day(first.date)
    command: SubmitOrder | CancelOrder
    if first.invoice.startswith(CANCELLATION) and len(first.invoice) > 1:
        invoice = first.invoice.removeprefix(CANCELLATION)
        order_id = internal_order_id(CHANNEL, shop_id, invoice)
        reason = f"invoice {first.invoice}"
        command = CancelOrder(at=at, pool=reference.pool(shop_id), order_id=order_id, reason=reason)
        return Arrival(command, CHANNEL, shop_id, invoice)
    order = _order(first, shop_id, at, _sum_up(rows))
    envelope = payload.envelope(CURRENCY, ADAPTER)
    command = SubmitOrder(at=at, pool=reference.pool(shop_id), order=order, envelope=envelope)
    return Arrival(command, CHANNEL, shop_id, first.invoice)


def _read(value: bytes) -> list[_Row]:
    """Read the lines, all of one invoice, at least one."""
    try:
        table = list(csv.reader(io.StringIO(value.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise PoisonError(reasons.MALFORMED, f"not CSV: {error}") from error
    table = [cells for cells in table if cells]
    header = table[0] if table else []
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise PoisonError(reasons.INVALID, "the header line has no such column", missing[0])
    if not 1 < len(table) <= ORDER_LINES_MAX + 1:
        message = f"wanted 1 to {ORDER_LINES_MAX} lines below the header, got {len(table) - 1}"
        raise PoisonError(reasons.INVALID, message, "lines")
    places = [header.index(column) for column in COLUMNS]
    rows = [_row(cells, header, places, number) for number, cells in enumerate(table[1:])]
    for number, row in enumerate(rows):
        if row.invoice != rows[0].invoice or not row.invoice:
            message = f"a record is one invoice, here are {rows[0].invoice!r} and {row.invoice!r}"
            raise PoisonError(reasons.INVALID, message, f"lines[{number}].InvoiceNo")
    return rows


def _row(cells: list[str], header: list[str], places: list[int], number: int) -> _Row:
    if len(cells) != len(header):
        message = f"wanted {len(header)} columns, got {len(cells)}"
        raise PoisonError(reasons.INVALID, message, f"lines[{number}]")
    row = _Row(*(cells[place].strip() for place in places))
    for column, text in zip(COLUMNS, row, strict=True):
        if len(text) > TEXT_CHARACTERS_MAX:
            message = f"{len(text)} characters, {TEXT_CHARACTERS_MAX} are the most"
            raise PoisonError(reasons.INVALID, message, f"lines[{number}].{column}")
    return row


def _sum_up(rows: list[_Row]) -> _Sums:
    """Tell goods from charges, and sum up the money."""
    lines: list[OrderLine] = []
    goods = freight = discount = 0
    for number, row in enumerate(rows):
        place = f"lines[{number}]"
        quantity = _quantity(row.quantity, f"{place}.Quantity")
        price = minor_units(row.price, CURRENCY, f"{place}.UnitPrice")
        if not row.code:
            raise PoisonError(reasons.INVALID, "empty", f"{place}.StockCode")
        if is_goods(row.code):
            if quantity < 0:
                raise PoisonError(reasons.INVALID, f"below 0: {quantity}", f"{place}.Quantity")
            if price < 0:
                raise PoisonError(reasons.INVALID, f"below 0: {row.price}", f"{place}.UnitPrice")
            line = OrderLine(line_id=str(number), merchant_sku=row.code, quantity=quantity, unit_price_minor=price)
            lines.append(line)
            goods += quantity * price
        elif (amount := quantity * price) < 0 or row.code == DISCOUNT_CODE:
            discount += abs(amount)
        else:
            freight += amount
    if max(goods, freight, discount) > MONEY_MINOR_MAX:
        raise PoisonError(reasons.INVALID, "add up to more than any order's money", "lines")
    return _Sums(tuple(lines), goods, freight, discount)


def is_goods(code: str) -> bool:
    """Tell whether a stock code needs stock."""
    return code != CARRIAGE_CODE and any("0" <= character <= "9" for character in code)


def _quantity(text: str, field: str) -> int:
    if _INTEGER.fullmatch(text) is None or abs(int(text)) > QUANTITY_MAX:
        raise PoisonError(reasons.INVALID, f"not a whole number up to {QUANTITY_MAX}: {text[:40]!r}", field)
    return int(text)


def _day(text: str) -> int:
    """Give the beginning of a day, in milliseconds UTC."""
    match = _DATE.fullmatch(text)
    field = "lines[0].InvoiceDate"
    if match is None:
        raise PoisonError(reasons.INVALID, f"not day/month/year: {text[:40]!r}", field)
    day, month, year = map(int, match.groups())
    try:
        begin = datetime(year, month, day, tzinfo=UTC)
    except ValueError as error:
        raise PoisonError(reasons.INVALID, f"no such day: {text}", field) from error
    if begin.year < 1970:  # noqa: PLR2004  where our times begin
        raise PoisonError(reasons.INVALID, f"before 1970: {text}", field)
    return int(begin.timestamp()) * 1000


def _order(first: _Row, shop_id: str, at: int, sums: _Sums) -> Order:
    return Order(
        internal_order_id=internal_order_id(CHANNEL, shop_id, first.invoice),
        channel=CHANNEL,
        shop_id=shop_id,
        platform_order_id=first.invoice,
        order_type=OrderType.NORMAL,
        platform_status="invoiced",
        status=OrderStatus.PAID,
        buyer_id=first.customer,
        receiver_key="",
        receiver_name="",
        receiver_phone="",
        province=first.country,
        city="",
        district="",
        address_detail=first.country,
        lines=sums.lines,
        freight_minor=sums.freight_minor,
        discount_seller_minor=sums.discount_minor,
        discount_platform_minor=0,
        paid_minor=max(0, sums.goods_minor + sums.freight_minor - sums.discount_minor),
        created_at=at,
        paid_at=at,
        updated_at=at,
    )
