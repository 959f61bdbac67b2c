"""Versions of the rules: each change makes the next one, and says who made it."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.domain.rules.book import Book, read_book
from pipeline.rules.versions import RulesError, Said, Version, activated, numbered, rolled_back, switched
from pipeline.settings import ROOT

SHIPPED = read_book((ROOT / "pipeline" / "rules" / "examples.json").read_bytes())
LIN = Said(at=1_700_000_000_000, author="lin", approver="", note="because")
LIN_AND_WANG = LIN._replace(approver="wang")


def first() -> Version:
    made = activated([], SHIPPED, LIN)
    assert made is not None
    return made


def test_the_first_version_is_1_and_says_who_made_it_and_why() -> None:
    made = first()
    assert (made.version, made.at, made.author, made.note) == (1, LIN.at, "lin", "because")
    assert (made.change, len(made.digest)) == ("activate", 64)
    assert made.book == SHIPPED


def test_switching_a_rule_off_makes_a_version_in_which_it_is_off() -> None:
    made = switched([first()], "risk-remote-region", LIN, on=False)
    assert made is not None
    assert (made.version, made.change) == (2, "switch risk-remote-region off")
    assert [rule.id for rule in made.book.rules if not rule.enabled] == ["risk-remote-region"]


def test_what_is_so_already_makes_no_version() -> None:
    assert activated([first()], SHIPPED, LIN) is None
    assert switched([first()], "risk-remote-region", LIN, on=True) is None
    assert rolled_back([first()], 1, LIN) is None


def test_a_rollback_is_a_new_version_with_the_old_book() -> None:
    second = switched([first()], "risk-remote-region", LIN, on=False)
    assert second is not None
    third = rolled_back([first(), second], 1, LIN)
    assert third is not None
    assert (third.version, third.change, third.book, third.digest) == (3, "roll back to 1", SHIPPED, first().digest)


def test_a_stock_gate_is_switched_off_only_with_a_second_person() -> None:
    with pytest.raises(RulesError, match="a second person must approve, because stock gate stock-protection"):
        switched([first()], "stock-protection", LIN, on=False)
    with pytest.raises(RulesError, match="lin cannot approve their own change"):
        switched([first()], "stock-protection", LIN._replace(approver="Lin"), on=False)
    made = switched([first()], "stock-protection", LIN_AND_WANG, on=False)
    assert made is not None
    assert made.approver == "wang"


def test_a_rollback_to_a_book_without_the_stock_gate_needs_a_second_person_too() -> None:
    bare = activated([], msgspec.structs.replace(SHIPPED, rules=()), LIN_AND_WANG)
    assert bare is not None
    second = msgspec.structs.replace(first(), version=2)
    with pytest.raises(RulesError, match="a second person must approve"):
        rolled_back([bare, second], 1, LIN)


def test_a_rule_or_a_version_that_is_not_there_is_named() -> None:
    with pytest.raises(RulesError, match="there is no rule colour in version 1; there are finance-credit-card"):
        switched([first()], "colour", LIN, on=False)
    with pytest.raises(RulesError, match="there is no version 9; the last one is 1"):
        numbered([first()], 9)
    with pytest.raises(RulesError, match="no rules were ever activated"):
        switched([], "colour", LIN, on=False)


def test_a_version_is_read_back_as_it_was_written() -> None:
    made = first()
    assert msgspec.json.decode(msgspec.json.encode(made), type=Version) == made


def test_an_empty_book_needs_a_second_person() -> None:
    with pytest.raises(RulesError, match="the book has no stock gate"):
        activated([], Book(), LIN)
