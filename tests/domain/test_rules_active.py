"""Which book of rules is in effect: versions only grow, and no one person takes a stock gate away."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.domain.rules import active as rules_active
from pipeline.domain.rules.active import (
    ActiveRules,
    RulesActivated,
    RulesNoted,
    RulesRefused,
    RulesRepeated,
    SetRules,
)
from pipeline.domain.rules.book import Book, read_book
from pipeline.domain.rules.guard import weakened
from pipeline.settings import ROOT
from tests.domain.books import ask

SHIPPED = read_book((ROOT / "pipeline" / "rules" / "examples.json").read_bytes())
GATE = SHIPPED.rules[-1]


def change(version: int = 1, book: Book = SHIPPED, **said: Any) -> SetRules:  # noqa: ANN401  any field of SetRules
    return SetRules(at=5, version=version, book=book, **{"author": "lin", **said})


def without_gate() -> Book:
    return msgspec.structs.replace(SHIPPED, rules=SHIPPED.rules[:-1])


def with_gate(**changes: Any) -> Book:  # noqa: ANN401  any field of Rule
    return msgspec.structs.replace(SHIPPED, rules=(*SHIPPED.rules[:-1], msgspec.structs.replace(GATE, **changes)))


def folded(*commands: SetRules) -> tuple[ActiveRules | None, list[Any]]:
    """Tell the commands one after the other; give what is active then, and the last answer."""
    table: dict[str, ActiveRules] = {}
    answers: list[Any] = []
    for command in commands:
        answers = list(rules_active.decide(table.get(rules_active.ACTIVE), command))
        for fact in answers:
            if isinstance(fact, RulesNoted):
                rules_active.evolve(table, fact)
    return table.get(rules_active.ACTIVE), answers


def test_a_book_is_in_effect_once_its_command_came_and_says_who_and_what() -> None:
    active, (activated, noted) = folded(change(1, note="start"))
    assert isinstance(activated, RulesActivated)
    assert (activated.from_state, activated.to_state, activated.author, activated.note) == ("0", "1", "lin", "start")
    assert len(activated.digest) == 64
    assert active == ActiveRules(1, noted.document)
    assert rules_active.book_of(active) == SHIPPED


def test_a_version_that_is_not_newer_changes_nothing() -> None:
    for version in (1, 2):
        active, (answer,) = folded(change(2), change(version, with_gate(note="other")))
        assert isinstance(answer, RulesRepeated)
        assert active is not None
        assert rules_active.book_of(active) == SHIPPED


def test_a_book_that_makes_no_sense_leaves_the_active_one_as_it_is() -> None:
    nonsense = with_gate(when=ask("colour", "eq", "red"))
    active, (answer,) = folded(change(1), change(2, nonsense, approver="wang"))
    assert isinstance(answer, RulesRefused)
    assert answer.evidence.startswith("rule stock-protection: when.field: 'colour' is no field of an order")
    assert active is not None
    assert active.version == 1


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (without_gate(), "stock gate stock-protection is removed or switched off"),
        (with_gate(enabled=False), "stock gate stock-protection is removed or switched off"),
        (with_gate(when=ask("units", "gt", 10**6)), "stock gate stock-protection is changed"),
        (with_gate(priority=0), "stock gate stock-protection is changed"),
    ],
    ids=["removed", "switched off", "never so", "priority"],
)
def test_a_stock_gate_is_not_taken_away_without_a_second_person(after: Book, told: str) -> None:
    for approver in ("", " ", "lin", " LIN "):
        active, (answer,) = folded(change(1), change(2, after, approver=approver))
        assert isinstance(answer, RulesRefused)
        assert told in answer.evidence
        assert active is not None
        assert active.version == 1
    active, _ = folded(change(1), change(2, after, approver="wang"))
    assert active is not None
    assert active.version == 2


def test_a_first_book_without_a_stock_gate_needs_a_second_person_too() -> None:
    assert weakened(Book(), without_gate()) == ["the book has no stock gate"]
    active, _ = folded(change(1, without_gate()))
    assert active is None
    active, _ = folded(change(1, without_gate(), approver="wang"))
    assert active is not None


def test_one_person_may_change_all_else() -> None:
    other = msgspec.structs.replace(with_gate(note="as it was"), rules=(SHIPPED.rules[0], GATE))
    active, _ = folded(change(1), change(2, other))
    assert active is not None
    assert active.version == 2


def test_nobody_changes_rules_without_a_name() -> None:
    active, (answer,) = folded(change(1, author=" "))
    assert (active, answer.evidence) == (None, "author: says who changes the rules, and is empty")


def test_a_command_is_read_back_from_the_wire_as_it_was() -> None:
    command = change(3, note="n", approver="wang")
    assert msgspec.json.decode(msgspec.json.encode(command), type=SetRules) == command
