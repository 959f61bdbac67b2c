"""Review rules: what a book may not say, and how it is told."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.rules.book import BOOK_BYTES_MAX, RULES_MAX, RuleError, read_book
from pipeline.domain.rules.conditions import DEPTH_MAX, NODES_MAX
from pipeline.domain.rules.operators import VALUES_MAX
from tests.domain.books import active, ask


def refused(written: Any) -> str:  # noqa: ANN401  JSON
    with pytest.raises(RuleError) as error:
        active(written)
    return str(error.value)


def refused_condition(when: Any) -> str:  # noqa: ANN401  JSON
    return refused({"rules": [{"id": "r0", "action": "hold", "reason": "DOUBT", "when": when}]})


# --- what a book may not say ---


@pytest.mark.parametrize(
    ("when", "told"),
    [
        (ask("colour", "eq", "red"), "rule r0: when.field: 'colour' is no field of an order; there are order_id"),
        (ask("amount", "matches", "5"), "rule r0: when.op: a field of the kind money is asked by"),
        (ask("amount", "gt", 499.9), "rule r0: when.value: money is a whole number or text"),
        (ask("amount", "gt", "1e9"), "rule r0: when.value: an amount of up to 12 digits"),
        (ask("amount", "gt", "-1"), "rule r0: when.value: an amount of up to 12 digits"),
        (ask("vip_level", "ge", "3"), "rule r0: when.value: a whole number is wanted (it is '3')"),
        (ask("vip_level", "ge", value=True), "rule r0: when.value: a whole number is wanted"),
        (ask("fragile", "eq", 1), "rule r0: when.value: true or false is wanted"),
        (ask("order_type", "eq", "odd"), "rule r0: when.value: one of cod, exchange"),
        (ask("sub_pool", "in", ["stock", "odd"]), "rule r0: when.value[1]: one of flash, presale"),
        (ask("created_at", "lt", "2026-01-01T00:00:00"), "rule r0: when.value: a time without its zone"),
        (ask("created_at", "lt", "soon"), "rule r0: when.value: not a time"),
        (ask("address", "contains", " "), "rule r0: when.value: is empty"),
        (ask("address", "contains_any", "stall"), "rule r0: when.value: a list of 1 to"),
        (ask("address", "contains_any", []), "rule r0: when.value: a list of 1 to"),
        (ask("paid_at", "exists", "yes"), "rule r0: when.value: exists takes true or false"),
        ({"field": "amount"}, "rule r0: when: op and value are wanted"),
        ({}, "rule r0: when: a condition has one of"),
        ({"all": []}, "rule r0: when.all: a list of at least one condition"),
        ({"all": [], "any": []}, "rule r0: when: a condition has one of"),
        ({"all": [ask("units", "gt", 1), 5]}, "rule r0: when.all[1]: a condition is an object (it is 5)"),
        ({"not": ask("units", "gt", 1), "op": "x"}, "rule r0: when: does not go with not: op"),
        ({"any_line": ask("amount", "gt", 1)}, "rule r0: when.any_line.field: 'amount' is no field of a line"),
        ({"any_line": {"any_line": ask("quantity", "gt", 1)}}, "rule r0: when.any_line.any_line: lines within lines"),
        ({"sum": "sku", "op": "gt", "value": 1}, "rule r0: when.sum: one of quantity, line_total is summed"),
    ],
)
def test_an_error_names_the_rule_and_the_path(when: Any, told: str) -> None:  # noqa: ANN401  JSON
    assert refused_condition(when).startswith(told)


def test_what_a_rule_costs_has_limits() -> None:
    deep: dict[str, Any] = ask("units", "gt", 1)
    for _ in range(DEPTH_MAX):
        deep = {"not": deep}
    assert "8 deep" in refused_condition(deep)
    assert f"{NODES_MAX} in one rule" in refused_condition({"any": [ask("units", "gt", 1)] * NODES_MAX})
    assert "a list of 1 to" in refused_condition(ask("channel", "in", ["x"] * (VALUES_MAX + 1)))
    assert "200 characters" in refused_condition(ask("channel", "eq", "x" * 201))


def rule(rule_id: str = "r0", **changes: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    return {"id": rule_id, "action": "hold", "reason": "DOUBT", "when": ask("units", "gt", 1), **changes}


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"rules": [rule(), rule()]}, "rule r0: there is another of that id"),
        ({"rules": [rule("currency")]}, "rule currency: this id is for orders whose currency"),
        ({"rules": [rule(action="eval")]}, "rules[0].action: Invalid enum value 'eval'"),
        ({"rules": [rule(colour="red")]}, "rules[0]: Object contains unknown field `colour`"),
        ({"rules": [rule(priority=1001)]}, "rules[0].priority: Expected `int` <= 1000"),
        ({"rules": [rule(action="notify")]}, "rule r0: asks: says who is notified"),
        ({"rules": [rule(action="service", asks=["gift"])]}, "rule r0: asks: says which services are added"),
        ({"rules": [rule(action="protect")]}, "rule r0: protects: must be stock"),
        ({"rates": {"CNY": "1"}}, "rates.CNY: is the book's own currency"),
        ({"rates": {"USD": "0.0"}}, "rates.USD: must be above 0"),
        (
            {"rules": [rule(f"r{number}") for number in range(RULES_MAX + 1)]},
            "rules: Expected `array` of length <= 200",
        ),
        ({"rules": [rule(f"r{n}", when=ask("sku", "in", ["x" * 200] * 99)) for n in range(4)]}, "the book is "),
    ],
)
def test_a_book_that_makes_no_sense_is_refused_with_its_reason(written: Any, told: str) -> None:  # noqa: ANN401  JSON
    assert refused(written).startswith(told)


def test_what_is_not_json_is_refused() -> None:
    for text in (b"", b"rules", b"\xff", b"[" * 100_000):
        with pytest.raises(RuleError, match=r"not JSON|Expected `object`"):
            read_book(text)


def test_the_same_book_is_the_same_text() -> None:
    first, second = rule("a"), dict(reversed(rule("a").items()))
    assert active({"rules": [first]}) == active({"rules": [second], "currency": "CNY"})
    assert len(active({"rules": [first]}).document) < BOOK_BYTES_MAX
