"""Shadow replay: what a book would do with past orders, counted by rule."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.domain.rules.book import Book, read_book
from pipeline.rules.shadow import Change, Past, replay
from pipeline.rules.showing import replay_head
from tests.domain.books import ask
from tests.domain.orders import submit


def written(**conditions: Any) -> Book:  # noqa: ANN401  JSON
    """Give a book that holds what meets the conditions, by rule."""
    rules = [{"id": name, "action": "hold", "reason": "DOUBT", "when": when} for name, when in conditions.items()]
    return read_book(_json(rules))


def _json(rules: list[dict[str, Any]]) -> bytes:
    return msgspec.json.encode({"rules": rules})


PAST = [Past(1_000 + number, submit(f"O{number}", paid_minor=number * 10_000)) for number in range(10)]


def test_it_says_how_many_orders_would_be_held_and_by_which_rule() -> None:
    now = written(old=ask("amount", "ge", 700), both=ask("amount", "ge", 900))
    found = replay(now, written(both=ask("amount", "ge", 800), new=ask("amount", "le", 200)), PAST)
    assert (found.orders, found.held_now, found.held_then) == (10, 3, 5)
    assert (found.newly_held, found.no_longer_held) == (3, 1)
    assert found.rules == (
        Change(rule="both", action="hold", now=1, then=2, gained=1, lost=0),
        Change(rule="old", action="hold", now=3, then=0, gained=0, lost=3),
        Change(rule="new", action="hold", now=0, then=3, gained=3, lost=0),
    )


def test_an_order_that_was_shown_twice_counts_once_as_it_was_shown_last() -> None:
    shown = [Past(1, submit("A", paid_minor=10**6)), Past(2, submit("A", paid_minor=100))]
    found = replay(Book(), written(much=ask("amount", "gt", 5000)), shown)
    assert (found.submissions, found.orders, found.held_then) == (2, 1, 0)


def test_a_rule_that_only_tells_somebody_holds_nothing() -> None:
    notify = {"id": "n", "action": "notify", "asks": ["lead"], "reason": "MUCH", "when": ask("units", "ge", 0)}
    found = replay(Book(), read_book(_json([notify])), PAST)
    assert (found.held_then, found.rules[0].then, found.rules[0].action) == (0, 10, "notify")


def test_without_orders_it_says_so() -> None:
    assert replay_head(replay(Book(), Book(), [])).startswith("no order was ever submitted")
