"""Books of rules for the tests, and orders to ask them about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.domain.rules import matching as rules
from pipeline.domain.rules.active import ActiveRules
from pipeline.domain.rules.book import read_book
from tests.domain.orders import ENVELOPE, PAID

if TYPE_CHECKING:
    from pipeline.domain.orders import Envelope, Order

CHANGE = msgspec.structs.replace


def book(*conditions: Any, **changes: Any) -> ActiveRules:  # noqa: ANN401  JSON
    """Give an active book with one rule for each condition, r0, r1 and so on."""
    rule = {"action": "hold", "reason": "DOUBT", **changes}
    written = [{"id": f"r{number}", "when": when, **rule} for number, when in enumerate(conditions)]
    return active({"rules": written})


def active(written: Any) -> ActiveRules:  # noqa: ANN401  JSON
    return ActiveRules(7, rules.check(read_book(json.dumps(written))))


def order(**changes: Any) -> Order:  # noqa: ANN401  any field of Order
    return CHANGE(PAID, **changes)


def envelope(**changes: Any) -> Envelope:  # noqa: ANN401  any field of Envelope
    return CHANGE(ENVELOPE, **changes)


def is_so(when: Any, one: Order = PAID, around: Envelope = ENVELOPE) -> bool:  # noqa: ANN401  JSON
    """Say whether a condition holds for an order."""
    return [match.rule_id for match in rules.evaluate(book(when), one, around)] == ["r0"]


def ask(field: str, op: str, value: Any = 0) -> dict[str, Any]:  # noqa: ANN401  JSON
    return {"field": field, "op": op, "value": value}


def exists(field: str, *, is_so: bool = True) -> dict[str, Any]:
    return {"field": field, "op": "exists", "value": is_so}
