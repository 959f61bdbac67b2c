"""Review rules: the shipped examples, and what a match says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.domain.rules import matching as rules
from pipeline.domain.rules.active import ActiveRules
from pipeline.domain.rules.book import Action, RuleError, read_book
from pipeline.settings import ROOT
from tests.domain.books import CHANGE, ask, book, envelope, order
from tests.domain.orders import ENVELOPE, PAID

if TYPE_CHECKING:
    from pipeline.domain.orders import Envelope, Order

EXAMPLES = ROOT / "pipeline" / "rules" / "examples.json"


def matched(one: Order, around: Envelope = ENVELOPE) -> list[str]:
    """Give the shipped examples that match, without the stock gate, which matches every order from stock."""
    shipped = ActiveRules(1, rules.check(read_book(EXAMPLES.read_bytes())))
    return [match.rule_id for match in rules.evaluate(shipped, one, around) if match.action is not Action.PROTECT]


# --- the shipped examples ---


@pytest.mark.parametrize("place", ["文一西路 1 临时摊位 3 号", "快递柜代收", "临 时 摊 位", "临\u200b时摊位"])
def test_an_order_above_500_to_a_stall_or_a_locker_is_held_for_review(place: str) -> None:
    assert matched(order(address_detail=place, paid_minor=50_001)) == ["risk-pickup-address"]
    assert matched(order(address_detail=place, paid_minor=50_000)) == []
    assert matched(order(address_detail="文一西路 1", paid_minor=50_001)) == []


@pytest.mark.parametrize("province", ["新疆维吾尔自治区", "西藏", "XINJIANG", "Tibet"])
def test_an_order_above_500_to_xinjiang_or_tibet_is_held_for_review(province: str) -> None:
    assert matched(order(province=province, paid_minor=50_001)) == ["risk-remote-region"]
    assert matched(order(province=province, paid_minor=50_000)) == []


def test_a_street_that_is_named_after_a_province_is_not_in_it() -> None:
    assert matched(order(province="山东省", city="青岛市", address_detail="新疆路 8 号", paid_minor=60_000)) == []


def test_an_order_above_500_paid_by_credit_card_goes_to_the_finance_desk() -> None:
    shipped = ActiveRules(1, rules.check(read_book(EXAMPLES.read_bytes())))
    match = rules.evaluate(shipped, order(paid_minor=50_001), envelope(payment_method="credit_card"))[0]
    assert (match.rule_id, match.reason, match.asks) == ("finance-credit-card", "FINANCE_CHECK", ("finance",))
    assert matched(order(paid_minor=50_001), envelope(payment_method="alipay")) == []


def test_an_order_above_5000_is_told_to_the_supervisor_and_not_held() -> None:
    shipped = ActiveRules(1, rules.check(read_book(EXAMPLES.read_bytes())))
    match = rules.evaluate(shipped, order(paid_minor=500_001), ENVELOPE)[0]
    assert (match.rule_id, match.action, match.asks) == ("notify-high-amount", Action.NOTIFY, ("supervisor",))
    assert matched(order(paid_minor=500_000)) == []


def test_a_vip_of_level_3_with_fragile_goods_gets_insurance_and_installation() -> None:
    shipped = ActiveRules(1, rules.check(read_book(EXAMPLES.read_bytes())))
    match = rules.evaluate(shipped, PAID, envelope(vip_level=3, fragile=True))[0]
    assert (match.rule_id, match.action, match.asks) == ("vip-fragile", Action.SERVICE, ("insured", "install"))
    assert matched(PAID, envelope(vip_level=2, fragile=True)) == []
    assert matched(PAID, envelope(vip_level=5)) == []


def test_the_stock_gate_covers_orders_from_stock() -> None:
    shipped = ActiveRules(1, rules.check(read_book(EXAMPLES.read_bytes())))
    gate = [match for match in rules.evaluate(shipped, PAID, ENVELOPE) if match.action is Action.PROTECT]
    assert [(match.rule_version, match.reason) for match in gate] == [("stock-protection@1", "STOCK_PROTECTION")]


def test_all_rules_that_match_count_the_highest_priority_first() -> None:
    one = order(province="新疆", address_detail="快递柜代收", paid_minor=600_000)
    assert matched(one, envelope(payment_method="credit_card")) == [
        "risk-pickup-address",
        "risk-remote-region",
        "finance-credit-card",
        "notify-high-amount",
    ]


# --- matches ---


def test_a_match_names_rule_version_deadline_and_why() -> None:
    written = book(ask("amount", "gt", 500), reason="RISK", priority=5, deadline_minutes=30)
    (match,) = rules.evaluate(written, order(paid_minor=61_250), ENVELOPE)
    assert (match.rule_version, match.reason, match.priority, match.deadline_ms) == ("r0@7", "RISK", 5, 1_800_000)
    assert match.evidence == "amount 612.50 CNY gt 500"


def test_evidence_never_repeats_what_a_rule_or_an_order_says_of_a_person() -> None:
    personal = ("receiver_name", "receiver_phone", "receiver_key", "buyer_id", "address", "address_detail", "district")
    one = order(receiver_key="secret", buyer_id="secret", address_detail="secret", district="secret")
    one = CHANGE(one, receiver_name="secret", receiver_phone="secret")
    for name in personal:
        (match,) = rules.evaluate(book(ask(name, "contains", "secret")), one, ENVELOPE)
        assert match.evidence == f"{name} contains"


def test_without_a_book_nothing_matches() -> None:
    assert rules.evaluate(None, PAID, ENVELOPE) == ()


def test_a_rule_that_is_switched_off_matches_nothing_and_is_checked_all_the_same() -> None:
    assert rules.evaluate(book(ask("units", "ge", 0), enabled=False), PAID, ENVELOPE) == ()
    with pytest.raises(RuleError, match="'colour' is no field of an order"):
        book(ask("colour", "eq", "red"), enabled=False)
