"""Invoices from a file in the columns of Online Retail: one record an invoice, for the platform `generic-csv`.

What needs stock among the lines is what pipeline/connectors/csv_invoice.py says: codes with a digit, but not C2.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, NamedTuple

from loadtest.scenario import TimedRecord
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PLATFORM = "generic-csv"
SHOP = "invoices"
"""The shop of records that do not name one."""
POOL = "shanghai"
"""The stock pool of that shop in a replay."""
CANCELLATION = "C"
CARRIAGE = "C2"
"""The one code with a digit that is no goods."""
INVOICE, CODE, QUANTITY, CUSTOMER = "InvoiceNo", "StockCode", "Quantity", "CustomerID"


class Invoice(NamedTuple):
    """An invoice: its number, its payload, its buyer, and the goods that it asks for, as (SKU, units)."""

    number: str
    payload: bytes
    buyer: str
    goods: tuple[tuple[str, int], ...]
    corrects: bool
    """Whether it takes goods back without being a cancellation: a stock correction among the invoices."""


def read_invoices(path: Path) -> list[Invoice]:
    """Read all invoices of a file, in the order in which they begin. Raises SettingsError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            header = list(rows.fieldnames or ())
            missing = {INVOICE, CODE, QUANTITY, CUSTOMER} - set(header)
            if missing:
                message = f"--csv {path}: there is no column {min(missing)}"
                raise SettingsError(message)
            grouped: dict[str, list[dict[str, str]]] = {}
            for row in rows:
                grouped.setdefault(row[INVOICE], []).append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"--csv {path}: {error}"
        raise SettingsError(message) from error
    return [_invoice(number, header, lines) for number, lines in grouped.items()]


def _invoice(number: str, header: Sequence[str], lines: Sequence[dict[str, str]]) -> Invoice:
    payload = io.StringIO(newline="")
    writer = csv.DictWriter(payload, header)
    writer.writeheader()
    writer.writerows(lines)
    goods = list(_goods(lines))
    corrects = not number.startswith(CANCELLATION) and any(units < 0 for _, units in goods)
    asked = tuple((code, units) for code, units in goods if units > 0)
    return Invoice(number, payload.getvalue().encode(), lines[0][CUSTOMER].strip(), asked, corrects)


def _goods(lines: Sequence[dict[str, str]]) -> Iterator[tuple[str, int]]:
    for line in lines:
        code, quantity = line[CODE].strip(), line[QUANTITY].strip()
        is_goods = code != CARRIAGE and any(character.isdigit() for character in code)
        if is_goods and quantity.removeprefix("-").isdecimal():
            yield code, int(quantity)


def schedule_invoices(invoices: Sequence[Invoice], rate_per_second: float) -> list[TimedRecord]:
    """Give one record an invoice, one every 1/rate seconds."""
    return [
        TimedRecord(
            place / rate_per_second,
            _key(invoice),
            invoice.payload,
            platform=PLATFORM,
            expect="dead_letter" if invoice.corrects else "",
        )
        for place, invoice in enumerate(invoices)
    ]


def _key(invoice: Invoice) -> bytes:
    """Key a cancellation like the invoice that it cancels, so that it stays behind it."""
    return invoice.number.removeprefix(CANCELLATION).encode()
