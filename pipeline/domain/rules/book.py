"""A book of review rules as data: what people write, and what is checked of it before its conditions are read.

    {"currency": "CNY", "rates": {"USD": "7.1"},
     "rules": [{"id": "risk-pickup-address", "action": "hold", "reason": "RISK_ADDRESS", "priority": 100,
                "deadline_minutes": 1440, "when": {"all": [
                    {"field": "address", "op": "contains_any", "value": ["临时摊位", "快递柜代收"]},
                    {"field": "amount", "op": "gt", "value": 500}]}}]}

- `when` is a condition tree (`conditions`) over declared fields (`fields`).
- `action`: `hold` (a person decides; `asks` names the desk, if it is a special one), `notify` (`asks` says whom),
  `service` (`asks` says what is added: insured, install), `protect` (the order is held only from stock that is above
  the SKU's safety level). All rules that match count, the one with the highest `priority` first.
- `protects: stock` makes a rule a stock gate: without a second approver none is removed, changed or switched off.
- `enabled: false` switches a rule off; `note` is for people.
- Money is written in major units of `currency` (500, or "499.90"), and compared exactly with orders in that currency;
  `rates` say what one major unit of another is worth in it. An order in a currency that the book does not name cannot
  be compared: where a rule that holds asks for an amount, it is held under the rule id `currency`.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

RULES_MAX = 200
BOOK_BYTES_MAX = 64 * 1024
"""A book's size as canonical JSON: it is one record in the log, and one entry of a table."""
PRIORITY_MAX = 1000
DEADLINE_MINUTES_DEFAULT = 24 * 60
DEADLINE_MINUTES_MAX = 30 * 24 * 60
ASKS_MAX = 8
NOTE_CHARACTERS_MAX = 500
RATES_MAX = 200
CURRENCY_RULE = "currency"
"""The rule id under which an order is held whose money cannot be compared; no rule of a book may have it."""
SERVICES = ("insured", "install")

Word = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")]
Reason = Annotated[str, Meta(pattern="^[A-Z][A-Z0-9_]{0,63}$")]
CurrencyCode = Annotated[str, Meta(pattern="^[A-Z]{3}$")]
Rate = Annotated[str, Meta(pattern="^[0-9]{1,9}([.][0-9]{1,9})?$")]


class RuleError(ValueError):
    """A book makes no sense. The message names the rule and the path in it."""


class Action(StrEnum):
    """What a rule does with an order that it matches."""

    HOLD = "hold"
    NOTIFY = "notify"
    SERVICE = "service"
    PROTECT = "protect"


class Protects(StrEnum):
    """What a rule guards, so that one person alone cannot take it away."""

    NOTHING = ""
    STOCK = "stock"


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule. `when` is checked when the book is compiled."""

    id: Word
    when: dict[str, Any]
    action: Action
    reason: Reason
    priority: Annotated[int, Meta(ge=0, le=PRIORITY_MAX)] = 0
    deadline_minutes: Annotated[int, Meta(ge=1, le=DEADLINE_MINUTES_MAX)] = DEADLINE_MINUTES_DEFAULT
    """How long a person has to decide."""
    asks: Annotated[tuple[Word, ...], Meta(max_length=ASKS_MAX)] = ()
    protects: Protects = Protects.NOTHING
    enabled: bool = True
    note: Annotated[str, Meta(max_length=NOTE_CHARACTERS_MAX)] = ""


class Book(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All rules that are in effect at one time."""

    currency: CurrencyCode = "CNY"
    rates: Annotated[dict[CurrencyCode, Rate], Meta(max_length=RATES_MAX)] = {}
    rules: Annotated[tuple[Rule, ...], Meta(max_length=RULES_MAX)] = ()


_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Book).decode


def read_book(text: bytes | str) -> Book:
    """Read a book from JSON. Raises RuleError, naming the path; what its conditions say is not looked at yet."""
    try:
        book = _decode(text)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        path = path.strip(".`")
        raise RuleError(f"{path}: {message}" if path else message) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"not JSON: {error}"
        raise RuleError(message) from error
    check_book(book)
    return book


def document_of(book: Book) -> str:
    """Give a book's canonical JSON: the same book is the same text."""
    return _encode(book).decode()


def digest_of(document: str) -> str:
    """Give the SHA-256 of a canonical document, 64 hex digits."""
    return hashlib.sha256(document.encode()).hexdigest()


def check_book(book: Book) -> None:
    """Check what the types do not say. Raises RuleError."""
    try:
        size = len(_encode(book))
    except (RecursionError, ValueError, TypeError) as error:
        message = f"the book cannot be written as JSON: {error}"
        raise RuleError(message) from error
    if size > BOOK_BYTES_MAX:
        message = f"the book is {size} bytes; {BOOK_BYTES_MAX} are allowed"
        raise RuleError(message)
    if book.currency in book.rates:
        message = f"rates.{book.currency}: is the book's own currency"
        raise RuleError(message)
    for currency, rate in book.rates.items():
        if not rate.strip("0."):
            message = f"rates.{currency}: must be above 0"
            raise RuleError(message)
    known = {CURRENCY_RULE}
    for rule in book.rules:
        if rule.id in known:
            message = f"rule {rule.id}: there is another of that id" if rule.id != CURRENCY_RULE else _RESERVED
            raise RuleError(message)
        known.add(rule.id)
        _check_asks(rule)


_RESERVED = f"rule {CURRENCY_RULE}: this id is for orders whose currency the book does not name"


def _check_asks(rule: Rule) -> None:
    if rule.action is Action.NOTIFY and not rule.asks:
        message = f"rule {rule.id}: asks: says who is notified, and is empty"
        raise RuleError(message)
    if rule.action is Action.SERVICE and (not rule.asks or not set(rule.asks) <= set(SERVICES)):
        message = (
            f"rule {rule.id}: asks: says which services are added: {', '.join(SERVICES)} (it is {list(rule.asks)})"
        )
        raise RuleError(message)
    if rule.action is Action.PROTECT and rule.protects is not Protects.STOCK:
        message = f"rule {rule.id}: protects: must be stock where the action is protect"
        raise RuleError(message)
