"""What a shop's payload asks: read no further than to tell its order, its kind and its units."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = ("order", "payment", "cancellation", "address", "expedite", "partial_cancellation", "refund")


class Asked(NamedTuple):
    """What a payload asks: see RawMessage."""

    kind: str
    order_id: str
    units: Mapping[str, int]
    trim_id: str = ""


UNREADABLE = Asked("", "", {})


def ask(headers: Mapping[str, str], value: bytes) -> Asked:
    """Read a payload in the format that the header `platform` names; UNREADABLE where it does not tell its order."""
    match headers.get("platform", "generic-json"):
        case "generic-json":
            return _ask_json(value)
        case "generic-csv":
            return _ask_csv(headers.get("shop", "invoices"), value)
        case _:
            return UNREADABLE


def _ask_json(value: bytes) -> Asked:
    try:
        message = orjson.loads(value)
    except orjson.JSONDecodeError:
        return UNREADABLE
    if not isinstance(message, dict):
        return UNREADABLE
    kind = message.get("type", "order")
    ids = [message.get(name) for name in ("channel", "shop_id", "order_id")]
    if kind not in KINDS or not all(isinstance(part, str) and part for part in ids):
        return UNREADABLE
    return Asked(kind, order_id_of(*map(str, ids)), _units(message), str(message.get("cancellation_id", "")))


def _units(message: Mapping[str, Any]) -> Mapping[str, int]:
    """Sum up an order's units; of one that is refused for its lines nothing is known."""
    units: Counter[str] = Counter()
    try:
        for line in message.get("lines", ()):
            if line["quantity"] > 0:
                units[line["sku"]] += line["quantity"]
    except (KeyError, TypeError):
        return {}
    return units


def _ask_csv(shop: str, value: bytes) -> Asked:
    try:
        lines = list(csv.DictReader(io.StringIO(value.decode("utf-8-sig"), newline="")))
        invoice = lines[0]["InvoiceNo"]
        units: Counter[str] = Counter()
        for line in lines:
            code, quantity = line["StockCode"].strip(), int(line["Quantity"])
            if quantity > 0 and code != "C2" and any(character.isdigit() for character in code):
                units[code] += quantity
    except (UnicodeDecodeError, csv.Error, KeyError, IndexError, ValueError):
        return UNREADABLE
    if invoice.startswith("C"):
        return Asked("cancellation", order_id_of("csv", shop, invoice[1:]), {})
    return Asked("order", order_id_of("csv", shop, invoice), units)


def order_id_of(channel: str, shop_id: str, platform_order_id: str) -> str:
    """Give the order's id: MD5 of channel|shop|platform id, 32 hex digits."""
    return hashlib.md5(f"{channel}|{shop_id}|{platform_order_id}".encode(), usedforsecurity=False).hexdigest()
