"""What a promotion showed, and that it says so where it showed nothing."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from loadtest.oracle.history import Fact, History
from loadtest.promotion.mix import KINDS
from loadtest.promotion.shown import FEW, MUST, WORDS, effects, show_effects


def fact(order_id: str, event: str, to: str = "", came_from: str = "", **body: Any) -> Fact:  # noqa: ANN401  any facts
    return Fact(f"{order_id}-{event}-{to}", 0, 0, 0, event, order_id, "", "", to, body, came_from)


def test_every_kind_says_what_must_come_of_it() -> None:
    assert set(WORDS) == set(MUST) == set(KINDS)
    assert all(set(MUST[kind]) <= set(WORDS[kind].values()) for kind in KINDS)


def test_what_came_of_a_kind_is_counted_by_orders() -> None:
    facts = [
        fact("a", "HoldPlaced", "waiting", pool="p"),
        fact("a", "HoldFilled", "locked"),
        fact("a", "HoldFilled", "waiting"),
        fact("b", "HoldRefused", "refused"),
        fact("c", "HoldPlaced", "locked", pool="p"),
    ]
    (presale,) = effects(History(facts=facts), {"a": "presale", "b": "presale"}, "")
    assert (presale.orders, presale.counts) == (2, {"held": 1, "converted": 1, "refused": 1})
    assert presale.is_shown


def test_a_state_tells_two_events_of_a_name_apart() -> None:
    facts = [fact("a", "HoldPlaced", "frozen", pool="p"), fact("a", "HoldConfirmed", "locked", "frozen")]
    (gated,) = effects(History(facts=facts), {"a": "gated"}, "")
    assert gated.counts == {"held": 1, "frozen": 1, "let go": 1}


def test_a_share_without_its_effect_is_named_and_fails_where_it_had_orders_enough() -> None:
    for count, shown in ((FEW - 1, True), (FEW, False)):
        found = effects(History(), {str(number): "vip" for number in range(count)}, "")
        assert (found[0].lacking, found[0].is_shown) == (("with services asked",), shown)
        out = Console(width=200, record=True, quiet=False)
        show_effects(out, found)
        assert "NOT SHOWN: with services asked" in out.export_text()


def test_units_that_move_for_no_order_are_counted_too() -> None:
    back = [fact("", "FlashClosed", units=3, pool="p", sku="x"), fact("", "FlashClosed", units=4, pool="q", sku="x")]
    (flash,) = effects(History(facts=back), {"a": "flash"}, "")
    assert flash.counts["units back in stock"] == 7


def test_a_plan_that_routed_nothing_is_named() -> None:
    placed = [fact(str(number), "HoldPlaced", pool="p") for number in range(FEW)]
    (plan,) = effects(History(facts=placed), {}, "p")
    assert (plan.lacking, plan.is_shown) == (("routed by it",), False)
    routed = fact("a", "OrderRouted", rule_version="1")
    assert effects(History(facts=[*placed, routed]), {}, "p")[0].is_shown
