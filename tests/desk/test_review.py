from __future__ import annotations

import pytest

from pipeline.desk import review
from pipeline.desk.review import Held, choose, held_by_rules
from pipeline.errors import HoldfastError


def held(order_id: str, reason: str = "RISK", rule: str = "many", reviewer: str = "") -> Held:
    return Held(order_id, reason, "P", "raised", f"{rule}@1", [rule], "why", 0, 0, 100, reviewer, 60, "")


QUEUE = [held("A"), held("B", reviewer="bob"), held("C", "FINANCE", "card"), held("C")]


def test_named_orders_are_chosen_whoever_has_them() -> None:
    assert [one.order_id for one in choose(QUEUE, ["B"], "ann", 9)] == ["B"]


def test_without_names_those_are_chosen_that_nobody_else_has_so_many_as_may_be() -> None:
    assert [one.order_id for one in choose(QUEUE, [], "ann", 9)] == ["A", "C", "C"]
    assert [one.order_id for one in choose(QUEUE, [], "ann", 1)] == ["A"]
    assert [one.order_id for one in choose(QUEUE, [], "bob", 2)] == ["A", "B"]


def test_an_order_that_nothing_holds_is_named() -> None:
    with pytest.raises(HoldfastError, match="order Z: nothing holds it"):
        choose(QUEUE, ["A", "Z"], "ann", 9)


def test_only_what_rules_hold_is_looked_at_again() -> None:
    own = held("D", "SUSPECTED_DUPLICATE", "holdfast:SUSPECTED_DUPLICATE")
    frozen = held("E", "STOCK_PROTECTION", "gate")
    assert held_by_rules([*QUEUE, own, frozen]) == QUEUE


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("approve A", "--reviewer"),
        ("approve --reviewer ann", "wants orders, or a --reason or a --rule"),
        ("approve --all --reviewer ann", "wants orders"),
        ("show", "wants one order"),
        ("list --limit 0", "--limit: must be above 0"),
        (f"reject A --reviewer ann --note {'x' * 501}", "--note: 501 characters, 500 are the most"),
        ("wave A", "invalid choice"),
    ],
)
def test_a_call_that_is_wrong_names_what(text: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        review.main(text.split())
    assert says in capsys.readouterr().err
