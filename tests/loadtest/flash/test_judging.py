"""A flash sale is judged by what came of it: each way in which it may go wrong is named."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.flash.judging import checks
from loadtest.flash.plan import GREEDY, LATE, POOL, SKU, Sale, Wish, order_id, plan_sale
from loadtest.oracle.checks import Finding, Verdict, judge
from loadtest.oracle.history import Fact, History
from pipeline.domain.commands import ReceiveStock
from pipeline.domain.stock_commands import OpenFlash

NOW_MS = 1_790_000_000_000


def sale(buyers: int = 6, units: int = 4) -> Sale:
    """Plan a small sale in which everybody's shop sends twice, and everybody orders twice."""
    return plan_sale(Wish(buyers, units, 100.0, 1.0, 1.0, 7), NOW_MS)


def fact(number: int, event: str, name: str, **body: Any) -> Fact:  # noqa: ANN401 - any fact of an event
    """Give an event of the order that the shop calls `name`."""
    about = order_id(name) if name else ""
    return Fact(f"e-{number}", 0, number, NOW_MS, event, about, f"stock.commands-0-{number}", "", "", body)


def well(buyers: int = 6, units: int = 4) -> list[Fact]:
    """Give the facts of a sale in which all is well."""
    took, place = min(buyers, units), {"pool": POOL, "sku": SKU}
    facts = [fact(0, "FlashOpened", "", units=units, **place)]
    held = {"sub_pool": "flash", "units": [[SKU, 1]], "pool": POOL}
    facts += [fact(10 + number, "HoldPlaced", f"flash-{number}", **held) for number in range(took)]
    facts += [fact(30 + number, "HoldRefused", f"flash-{number}") for number in range(took, buyers)]
    facts.append(fact(50, "FlashClosed", "", units=units - took, **place))
    facts.append(fact(60, "HoldPlaced", GREEDY, units=[[SKU, 1]], pool=POOL))
    return [*facts, fact(61, "HoldRefused", LATE)]


def judged(planned: Sale, facts: list[Fact]) -> list[Finding]:
    return [judge(check, History(facts=facts)) for check in checks(planned)]


def broken(planned: Sale, facts: list[Fact]) -> list[str]:
    """Give the first line of each claim that does not hold."""
    return [found.first[0] for found in judged(planned, facts) if found.verdict is Verdict.BROKEN]


@pytest.mark.parametrize(("buyers", "units"), [(6, 4), (3, 4)])
def test_a_sale_that_went_well_holds_sold_out_or_not(buyers: int, units: int) -> None:
    findings = judged(sale(buyers, units), well(buyers, units))
    assert {found.verdict for found in findings} == {Verdict.HELD}


def test_without_any_hold_nothing_is_proven() -> None:
    assert {found.verdict for found in judged(sale(), [])} == {Verdict.INVALID}


def test_one_unit_too_many_is_found_out() -> None:
    extra = fact(20, "HoldPlaced", "flash-4", sub_pool="flash", units=[[SKU, 1]], pool=POOL)
    assert broken(sale(), [*well(), extra]) == ["5 orders are accepted instead of 4"]


def test_one_unit_too_few_is_found_out() -> None:
    assert broken(sale(), [one for one in well() if one.event_id != "e-10"])[0] == (
        "3 orders are accepted instead of 4"
    )


def test_a_buyer_who_is_accepted_under_both_ids_is_found_out() -> None:
    twice = fact(13, "HoldPlaced", "flash-0-again", sub_pool="flash", units=[[SKU, 1]], pool=POOL)
    facts = [twice if one.event_id == "e-13" else one for one in well()]
    assert "accepted 2 times" in broken(sale(), facts)[0]


def test_a_buyer_who_hears_nothing_is_found_out() -> None:
    assert "neither accepted nor refused" in broken(sale(), [one for one in well() if one.event_id != "e-35"])[0]


def test_a_hold_of_other_stock_is_found_out() -> None:
    facts = [
        one._replace(body={"units": [[SKU, 1]], "pool": POOL}) if one.event_id == "e-10" else one for one in well()
    ]
    assert "held from stock" in broken(sale(), facts)[0]


def test_a_remainder_that_is_not_back_is_found_out() -> None:
    facts = [one for one in well(3) if one.event != "FlashClosed"]
    assert broken(sale(3), facts) == ["back are [] units, not 1"]


def test_a_remainder_that_cannot_be_had_or_is_too_large_is_found_out() -> None:
    refused = [fact(60, "HoldRefused", GREEDY) if one.event_id == "e-60" else one for one in well()]
    assert broken(sale(), refused) == [f"order {GREEDY}: ['HoldRefused'] instead of HoldPlaced"]
    placed = [one._replace(event="HoldPlaced") if one.event_id == "e-61" else one for one in well()]
    assert f"order {LATE}" in broken(sale(), placed)[0]


def test_the_sale_opens_by_a_transfer_of_units_that_are_there_and_ends_before_now() -> None:
    planned = sale(20_000, 5_000)
    feed = list(planned.feed())
    received = sum(unit.units for one in feed if isinstance(one, ReceiveStock) for unit in one.units)
    (opened,) = [one for one in feed if isinstance(one, OpenFlash)]
    assert (received, opened.units) == (5_000 + planned.reserve, 5_000)
    assert opened.opens_at < opened.closes_at < NOW_MS
    assert len(set(planned.buyer_of.values())) == 20_000


def test_the_last_orders_ask_for_all_that_is_left_and_for_one_more() -> None:
    assert (sale(3, 4).left, sale(6, 4).left) == (2, 1)
    assert len(sale().probe().records) == 2
