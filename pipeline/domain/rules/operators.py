"""The operators of review rules: a field, an operator and a value become a test, once, when the book is compiled.

    any kind         exists (value true or false; the default is true: the field is there and not empty)
    id, text         eq ne in not_in contains contains_any starts_with
    number           eq ne lt le gt ge in not_in
    money            eq ne lt le gt ge; the value in major units, 500 or "499.90", never a float
    time             lt le gt ge; the value with its zone, "2026-06-18T00:00:00+08:00", or milliseconds UTC
    flag             eq ne
    choice           eq ne in not_in, with the words that the field has

A time that is not there (an unpaid order's `paid_at`) fails every comparison. There are no regular expressions: what a
test may cost is known when the book is read.
"""

from __future__ import annotations

import operator
import re
from datetime import datetime
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.domain.currencies import minor_digits
from pipeline.domain.orders import TIME_MS_MAX
from pipeline.domain.rules.book import RuleError
from pipeline.domain.rules.fields import Kind, fold

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.domain.rules.book import Book
    from pipeline.domain.rules.fields import Field

VALUES_MAX = 1000
"""Values in one list of a rule."""
VALUE_CHARACTERS_MAX = 200
NUMBER_MAX = 10**12
EQUALITY = frozenset({"eq", "ne", "in", "not_in"})
ORDERING = frozenset({"lt", "le", "gt", "ge"})
TEXTUAL = frozenset({"contains", "contains_any", "starts_with"})
LISTS = frozenset({"in", "not_in", "contains_any"})
EXISTS = "exists"
OPERATORS: Mapping[Kind, frozenset[str]] = {
    Kind.ID: EQUALITY | TEXTUAL,
    Kind.TEXT: EQUALITY | TEXTUAL,
    Kind.NUMBER: EQUALITY | ORDERING,
    Kind.MONEY: frozenset({"eq", "ne"}) | ORDERING,
    Kind.TIME: ORDERING,
    Kind.FLAG: frozenset({"eq", "ne"}),
    Kind.CHOICE: EQUALITY,
}
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
}
_AMOUNT = re.compile("[0-9]{1,12}([.][0-9]{1,4})?")


class Money(NamedTuple):
    """The currencies that a book can compare: what one major unit of each is worth in the book's own."""

    currency: str
    rates: Mapping[str, Fraction]


def money_of(book: Book) -> Money:
    """Give a book's currencies, its own among them."""
    rates = {currency: Fraction(rate) for currency, rate in book.rates.items()}
    return Money(book.currency, {book.currency: Fraction(1), **rates})


def compile_test(field: Field, op: str, value: object, money: Money) -> Callable[[Any], bool]:
    """Give the test of a field. Raises RuleError where the operator or the value does not go with the field's kind."""
    if op == EXISTS:
        return _exists(field, value)
    allowed = OPERATORS[field.kind]
    if op not in allowed:
        message = (
            f"op: a field of the kind {field.kind} is asked by {', '.join(sorted({*allowed, EXISTS}))} (it is {op!r})"
        )
        raise RuleError(message)
    if op in LISTS:
        return _of_list(field, op, [_value(field, one, f"value[{place}]") for place, one in enumerate(_listed(value))])
    if field.kind is Kind.MONEY:
        return _of_money(field, op, value, money)
    wanted = _value(field, value, "value")
    if op in TEXTUAL:
        return _of_text(field, op, str(wanted))
    return _compared(field, op, wanted)


def _compared(field: Field, op: str, wanted: object) -> Callable[[Any], bool]:
    read, compare = field.read, COMPARE[op]
    if field.kind is not Kind.TIME:
        return lambda facts: compare(read(facts), wanted)

    def test(facts: Any) -> bool:  # noqa: ANN401  an order's facts or a line's
        found = read(facts)
        return found is not None and compare(found, wanted)

    return test


def _exists(field: Field, value: object) -> Callable[[Any], bool]:
    if not isinstance(value, bool):
        message = f"value: exists takes true or false (it is {value!r})"
        raise RuleError(message)
    read = field.read
    return lambda facts: (read(facts) not in {None, ""}) is value


def _of_list(field: Field, op: str, wanted: list[Any]) -> Callable[[Any], bool]:
    read = field.read
    if op == "contains_any":

        def test(facts: Any) -> bool:  # noqa: ANN401  an order's facts or a line's
            found = read(facts)
            return any(word in found for word in words)

        words = tuple(wanted)
        return test
    among = frozenset(wanted)
    if op == "in":
        return lambda facts: read(facts) in among
    return lambda facts: read(facts) not in among


def _of_text(field: Field, op: str, wanted: str) -> Callable[[Any], bool]:
    read = field.read
    if op == "contains":
        return lambda facts: wanted in read(facts)
    return lambda facts: read(facts).startswith(wanted)


def _of_money(field: Field, op: str, value: object, money: Money) -> Callable[[Any], bool]:
    """Compare whole minor units: the bound is worked out for each currency when the book is compiled."""
    major = _amount(value)
    bounds = {
        currency: _bound(op, major / rate * 10 ** minor_digits(currency)) for currency, rate in money.rates.items()
    }
    read, compare = field.read, COMPARE[op]

    def test(facts: Any) -> bool:  # noqa: ANN401  an order's facts or a line's
        bound = bounds.get(facts.currency)
        return bound is not None and compare(read(facts), bound)

    return test


def _bound(op: str, minor: Fraction) -> int:
    """Give the whole number of minor units that compares like the exact amount does."""
    if op in {"gt", "le"}:
        return floor(minor)
    if op in {"lt", "ge"}:
        return ceil(minor)
    return int(minor) if minor.denominator == 1 else -1


def _amount(value: object) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | str):
        message = f'value: money is a whole number or text, 500 or "499.90" (it is {value!r})'
        raise RuleError(message)
    if not _AMOUNT.fullmatch(str(value)):
        message = f"value: an amount of up to 12 digits and 4 decimal places is wanted (it is {value!r:.100})"
        raise RuleError(message)
    return Fraction(str(value))


def _listed(value: object) -> list[Any]:
    if not isinstance(value, list | tuple) or not value or len(value) > VALUES_MAX:
        message = f"value: a list of 1 to {VALUES_MAX} values is wanted here"
        raise RuleError(message)
    return list(value)


def _value(field: Field, value: object, path: str) -> object:
    """Check one value against the field's kind, and give it as the field is read."""
    match field.kind:
        case Kind.ID | Kind.TEXT | Kind.CHOICE:
            return _worded(field, value, path)
        case Kind.FLAG:
            if isinstance(value, bool):
                return value
        case Kind.TIME:
            return _time_ms(value, path)
        case _:
            if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= NUMBER_MAX:
                return value
    wanted = "true or false" if field.kind is Kind.FLAG else "a whole number"
    message = f"{path}: {wanted} is wanted (it is {value!r})"
    raise RuleError(message)


def _worded(field: Field, value: object, path: str) -> str:
    if not isinstance(value, str) or len(value) > VALUE_CHARACTERS_MAX:
        message = f"{path}: text of up to {VALUE_CHARACTERS_MAX} characters is wanted (it is {value!r:.100})"
        raise RuleError(message)
    if field.words and value not in field.words:
        message = f"{path}: one of {', '.join(sorted(field.words))} is wanted (it is {value!r})"
        raise RuleError(message)
    text = fold(value) if field.kind is Kind.TEXT else value
    if not text:
        message = f"{path}: is empty; whether there is anything is asked by exists"
        raise RuleError(message)
    return text


def _time_ms(value: object, path: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= TIME_MS_MAX:
        return value
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError as error:
        message = f"{path}: not a time: {value!r}"
        raise RuleError(message) from error
    if time.tzinfo is None:
        message = f"{path}: a time without its zone: {value!r}"
        raise RuleError(message)
    return round(time.timestamp() * 1000)
