"""What the review rules must say of an order: each rule read afresh, amounts converted to the book's own currency."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loadtest.oracle.model.answers import Command

NO_DECIMALS = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
DECIMALS = dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3) | dict.fromkeys(["CLF", "UYW"], 4)
TYPED = frozenset({"receiver_name", "receiver_phone", "province", "city", "district", "address_detail", "address"})
MINOR = {
    "freight": "freight_minor",
    "discount_seller": "discount_seller_minor",
    "discount_platform": "discount_platform_minor",
    "paid": "paid_minor",
    "unit_price": "unit_price_minor",
}
MONEY = frozenset({*MINOR, "goods", "amount", "line_total"})
TIMES = frozenset({"created_at", "paid_at", "updated_at", "promised_ship_at"})
AROUND: Mapping[str, Any] = {
    "currency": "",
    "adapter": "",
    "payment_method": "",
    "vip_level": 0,
    "fragile": False,
    "promised_ship_at": None,
    "sub_pool": "stock",
    "may_split": False,
    "holds_unpaid": False,
}
"""What an envelope says where it is silent."""
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda found, wanted: found == wanted,
    "ne": lambda found, wanted: found != wanted,
    "lt": lambda found, wanted: found < wanted,
    "le": lambda found, wanted: found <= wanted,
    "gt": lambda found, wanted: found > wanted,
    "ge": lambda found, wanted: found >= wanted,
    "in": lambda found, wanted: found in wanted,
    "not_in": lambda found, wanted: found not in wanted,
    "contains": lambda found, wanted: wanted in found,
    "contains_any": lambda found, wanted: any(word in found for word in wanted),
    "starts_with": lambda found, wanted: found.startswith(wanted),
}


class Matched(NamedTuple):
    """A rule that an order meets."""

    rule_id: str
    action: str
    reason: str


class _Asked(NamedTuple):
    """An order, or one line of it (`line`), with what is around it."""

    order: Command
    around: Command
    rates: Mapping[str, Fraction]
    line: Command | None = None


def matching(document: str | bytes, order: Command, envelope: Command) -> list[Matched]:
    """Give the rules of a book that an order meets, the highest priority first; both as they are on the wire."""
    book = _read(document)
    rates = {book.get("currency", "CNY"): Fraction(1)}
    rates |= {currency: Fraction(rate) for currency, rate in book.get("rates", {}).items()}
    asked = _Asked(order, {**AROUND, **envelope}, rates)
    rules = sorted((rule for rule in book["rules"] if rule.get("enabled", True)), key=_order)
    found = [Matched(rule["id"], rule["action"], rule["reason"]) for rule in rules if _holds(rule["when"], asked)]
    asks_money = any(rule["action"] == "hold" and _asks_money(rule["when"]) for rule in rules)
    if asks_money and envelope.get("currency") not in rates:
        found.insert(0, Matched("currency", "hold", "UNKNOWN_CURRENCY"))
    return found


def may_be_set(before: str, book: Command, author: str, approver: str) -> bool:
    """Say whether a book may take the place of the one before it (its document, or empty): gates go with two people."""
    names = {name.strip().casefold() for name in (author, approver)}
    old, new = _gates(_read(before) if before else {"rules": []}), _gates(book)
    is_kept = bool(new) and all(new.get(rule_id) == gate for rule_id, gate in old.items())
    return bool(author.strip()) and (is_kept or (len(names) > 1 and "" not in names))


def _gates(book: Command) -> dict[str, Command]:
    """Give the stock gates that are switched on, less their notes."""
    on = [rule for rule in book["rules"] if rule.get("enabled", True) and rule.get("protects") == "stock"]
    return {rule["id"]: {name: value for name, value in rule.items() if name != "note"} for rule in on}


@lru_cache(maxsize=16)
def _read(document: str | bytes) -> Any:  # noqa: ANN401  JSON
    return orjson.loads(document)


def _order(rule: Command) -> tuple[int, str]:
    return -rule.get("priority", 0), rule["id"]


def _asks_money(when: Any) -> bool:  # noqa: ANN401  JSON
    if isinstance(when, list):
        return any(map(_asks_money, when))
    if not isinstance(when, dict):
        return False
    return (when.get("field", when.get("sum")) in MONEY and when["op"] != "exists") or any(
        map(_asks_money, when.values())
    )


def _holds(when: Command, asked: _Asked) -> bool:
    """Say whether a condition holds."""
    lines = [asked._replace(line=line) for line in asked.order["lines"]]
    if "all" in when or "any" in when:
        parts = (_holds(part, asked) for part in when["all" if "all" in when else "any"])
        found = all(parts) if "all" in when else any(parts)
    elif "not" in when:
        found = not _holds(when["not"], asked)
    elif "any_line" in when:
        found = any(_holds(when["any_line"], line) for line in lines)
    elif "every_line" in when:
        found = bool(lines) and all(_holds(when["every_line"], line) for line in lines)
    elif "sum" in when:
        so = [line for line in lines if "where" not in when or _holds(when["where"], line)]
        found = _compare(when["sum"], sum(_value(when["sum"], line) for line in so), when, asked)
    else:
        found = _compare(when["field"], _value(when["field"], asked), when, asked)
    return found


def _compare(name: str, found: Any, when: Command, asked: _Asked) -> bool:  # noqa: ANN401  a field's value
    op, wanted = when["op"], when.get("value", True)
    if op == "exists":
        return (found is not None and found != "") is wanted
    if name in MONEY:
        currency = asked.around["currency"]
        if currency not in asked.rates:
            return False
        decimals = 0 if currency in NO_DECIMALS else DECIMALS.get(currency, 2)
        return COMPARE[op](Fraction(found, 10**decimals) * asked.rates[currency], Fraction(str(wanted)))
    if name in TIMES:
        if found is None:
            return False
        wanted = wanted if isinstance(wanted, int) else round(datetime.fromisoformat(wanted).timestamp() * 1000)
    if name in TYPED:
        found, wanted = _fold(found), list(map(_fold, wanted)) if isinstance(wanted, list) else _fold(wanted)
    return COMPARE[op](found, wanted)


def _value(name: str, asked: _Asked) -> Any:  # noqa: ANN401  a field's value
    """Give a field's value, money in minor units."""
    if asked.line is not None:
        line = asked.line
        return _cost(line) if name == "line_total" else line.get(MINOR.get(name, name), "")
    if name in DERIVED:
        return DERIVED[name](asked.order)
    return asked.around[name] if name in AROUND else asked.order[MINOR.get(name, name)]


def _cost(line: Command) -> int:
    return int(line["quantity"] * line["unit_price_minor"])


def _goods(order: Command) -> int:
    return sum(map(_cost, order["lines"]))


def _amount(order: Command) -> int:
    less = order["discount_seller_minor"] + order["discount_platform_minor"]
    return int(max(order["paid_minor"], _goods(order) + order["freight_minor"] - less))


DERIVED: Mapping[str, Callable[[Command], Any]] = {
    "goods": _goods,
    "amount": _amount,
    "units": lambda order: sum(line["quantity"] for line in order["lines"]),
    "lines": lambda order: len(order["lines"]),
    "address": lambda order: " ".join(order[part] for part in ("province", "city", "district", "address_detail")),
    "order_id": lambda order: order["internal_order_id"],
}


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in folded if letter.isprintable() and not letter.isspace())
