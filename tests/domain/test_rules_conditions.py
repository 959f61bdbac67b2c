"""Review rules: what a condition says of an order."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.oracle.model.rules import matching
from pipeline.domain.rules import matching as rules
from pipeline.domain.rules.book import Action, RuleError
from tests.domain.books import active, ask, book, envelope, exists, is_so, order
from tests.domain.orders import ENVELOPE, PAID, lines

# --- conditions ---


def test_conditions_nest() -> None:
    cheap, many, web = ask("amount", "le", 1), ask("units", "ge", 10), ask("channel", "eq", "web")
    assert is_so({"all": [cheap, web]})
    assert not is_so({"all": [many, web]})
    assert is_so({"any": [many, cheap]})
    assert not is_so({"any": [many, {"not": web}]})
    assert is_so({"not": {"all": [many, {"any": [cheap, web]}]}})


LINES = (*lines(A=2, B=3), *lines(C=4))


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"any_line": ask("sku", "eq", "B")}, True),
        ({"any_line": ask("sku", "eq", "D")}, False),
        ({"any_line": {"all": [ask("sku", "eq", "B"), ask("quantity", "ge", 4)]}}, False),
        ({"every_line": ask("quantity", "ge", 2)}, True),
        ({"every_line": ask("quantity", "ge", 3)}, False),
        ({"every_line": ask("line_total", "lt", "4.01")}, True),
        ({"sum": "quantity", "op": "eq", "value": 9}, True),
        ({"sum": "quantity", "where": ask("sku", "in", ["A", "B"]), "op": "eq", "value": 5}, True),
        ({"sum": "line_total", "where": ask("sku", "ne", "A"), "op": "gt", "value": "6.99"}, True),
        ({"sum": "line_total", "where": ask("sku", "ne", "A"), "op": "gt", "value": 7}, False),
    ],
)
def test_lines_are_asked_one_by_one_or_summed(when: Any, expected: bool) -> None:  # noqa: ANN401, FBT001  JSON
    assert is_so(when, order(lines=LINES)) is expected


def test_an_order_without_lines_has_no_line_that_is_so() -> None:
    assert not is_so({"every_line": ask("quantity", "ge", 0)}, order(lines=()))
    assert not is_so({"any_line": ask("quantity", "ge", 0)}, order(lines=()))


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (exists("paid_at"), False),
        (exists("paid_at", is_so=False), True),
        (ask("paid_at", "lt", 5 * 10**12), False),
        ({"not": ask("paid_at", "gt", 0)}, True),
        (exists("receiver_key"), False),
        (ask("created_at", "lt", "2023-11-15T06:13:21+08:00"), True),
        (ask("created_at", "lt", "2023-11-14T22:13:20Z"), False),
        (ask("order_type", "in", ["normal", "cod"]), True),
        (ask("status", "ne", "paid"), False),
        ({"field": "fragile", "op": "eq", "value": False}, True),
        (ask("platform_order_id", "starts_with", "A"), True),
        (ask("channel", "eq", "WEB"), False),
        (ask("receiver_name", "eq", "LI lei"), True),
        (ask("city", "not_in", ["北京市", "上海市"]), True),
    ],
)
def test_each_kind_of_field_has_its_comparisons(when: Any, expected: bool) -> None:  # noqa: ANN401, FBT001  JSON
    assert is_so(when, order(paid_at=None)) is expected


# --- money ---


def test_the_amount_is_what_was_paid_or_is_to_be_paid_whichever_is_more() -> None:
    deposit = order(lines=lines(X=6), paid_minor=50, freight_minor=800, discount_seller_minor=100)
    assert is_so(ask("amount", "eq", 13), deposit)  # 6 x 1.00 + 8.00 - 1.00, of which 0.50 are paid
    assert is_so(ask("amount", "eq", 99), order(paid_minor=9900))


def test_an_amount_in_another_currency_is_converted_exactly() -> None:
    written = active(
        {
            "currency": "CNY",
            "rates": {"USD": "7.1", "JPY": "0.05"},
            "rules": [{"id": "r", "action": "hold", "reason": "R", "when": ask("amount", "gt", 500)}],
        }
    )

    def holds(minor: int, currency: str) -> bool:
        return bool(rules.evaluate(written, order(paid_minor=minor), envelope(currency=currency)))

    assert not holds(7042, "USD")  # 500 / 7.1 = 70.4225…
    assert holds(7043, "USD")
    assert not holds(10_000, "JPY")
    assert holds(10_001, "JPY")


def test_an_order_whose_currency_the_book_does_not_name_is_held_and_not_let_through() -> None:
    asks_money = book(ask("amount", "gt", 500))
    (match,) = rules.evaluate(asks_money, order(paid_minor=10**9), envelope(currency="XAU"))
    assert (match.rule_id, match.reason, match.action) == ("currency", rules.UNKNOWN_CURRENCY, Action.HOLD)
    assert rules.evaluate(book(ask("units", "gt", 500)), PAID, envelope(currency="XAU")) == ()


@settings(deadline=None)
@given(st.integers(0, 10**7), st.integers(0, 10**7), st.sampled_from(["lt", "le", "gt", "ge", "eq", "ne"]))
def test_whole_minor_units_compare_like_the_exact_amounts(minor: int, bound: int, op: str) -> None:
    exact = {"lt": minor < bound, "le": minor <= bound, "gt": minor > bound, "ge": minor >= bound}
    exact |= {"eq": minor == bound, "ne": minor != bound}
    when = ask("paid", op, f"{bound // 100}.{bound % 100:02}")
    assert is_so(when, order(paid_minor=minor)) is exact[op]


LEAVES = st.builds(
    ask,
    st.sampled_from(["amount", "sku", "address", "paid_at", "fragile", "vip_level", "quantity", "order_type", "x"]),
    st.sampled_from(["eq", "gt", "in", "contains", "contains_any", "exists", "starts_with", "x"]),
    st.sampled_from([0, 500, "500", "cod", ["a", "1"], True, None, 0.5, {}]),
)
SOUND = st.sampled_from(
    [
        ask("amount", "gt", "0.99"),
        ask("amount", "le", 4),
        ask("address", "contains_any", ["文 一", "x"]),
        ask("created_at", "lt", "2026-01-01T00:00:00+08:00"),
        ask("paid_at", "lt", 5 * 10**12),
        ask("order_type", "in", ["cod", "normal"]),
        ask("vip_level", "lt", 3),
        ask("units", "not_in", [1, 9]),
        exists("paid_at", is_so=False),
        exists("currency"),
    ]
)
SOUND_OF_A_LINE = st.sampled_from(
    [ask("sku", "eq", "A"), ask("quantity", "gt", 2), ask("line_total", "lt", "3"), ask("platform_sku_id", "ne", "z")]
)


@st.composite
def sound_trees(draw: st.DrawFn, leaves: st.SearchStrategy[Any] = SOUND, depth: int = 3) -> Any:  # noqa: ANN401  JSON
    kinds = ["leaf", "all", "any", "not"] + ["any_line", "every_line", "sum"] * (leaves is SOUND)
    kind = draw(st.sampled_from(kinds))
    if depth == 0 or kind == "leaf":
        return draw(leaves)
    if kind in {"all", "any"}:
        return {kind: [draw(sound_trees(leaves, depth - 1)) for _ in range(draw(st.integers(1, 3)))]}
    if kind == "not":
        return {"not": draw(sound_trees(leaves, depth - 1))}
    line = draw(sound_trees(SOUND_OF_A_LINE, depth - 1))
    if kind == "sum":
        return {"sum": draw(st.sampled_from(["quantity", "line_total"])), "where": line, "op": "ge", "value": 2}
    return {kind: line}


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> Any:  # noqa: ANN401  JSON
    kind = draw(st.sampled_from(["leaf", "all", "any", "not", "any_line", "every_line", "sum"]))
    if depth == 0 or kind == "leaf":
        return draw(LEAVES)
    if kind in {"all", "any"}:
        return {kind: [draw(trees(depth=depth - 1)) for _ in range(draw(st.integers(0, 2)))]}
    if kind == "sum":
        return {"sum": "quantity", "where": draw(trees(depth=depth - 1)), "op": "gt", "value": 1}
    return {kind: draw(trees(depth=depth - 1))}


@settings(deadline=None)
@given(trees() | sound_trees())
def test_any_tree_is_either_refused_with_its_path_or_answers_as_the_independent_model_does(when: Any) -> None:  # noqa: ANN401  JSON
    try:
        written = book(when)
    except RuleError as error:
        told = str(error)
    else:
        told = "rule r0: when"
        for one in (PAID, order(lines=LINES), order(lines=(), paid_at=None, address_detail="")):
            found = rules.evaluate(written, one, ENVELOPE)
            wire = json.loads(msgspec.json.encode(one)), json.loads(msgspec.json.encode(ENVELOPE))
            assert [match.rule_id for match in found] == [rule.rule_id for rule in matching(written.document, *wire)]
            assert all(match.evidence for match in found)
    assert told.startswith("rule r0: when")
