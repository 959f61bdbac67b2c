"""Review rules at work: which rules of the active book match an order.

A book is compiled once, and kept by its text: the same text and order always give the same matches.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from pipeline.domain.rules.book import CURRENCY_RULE, Action, Book, Rule, RuleError, document_of, read_book
from pipeline.domain.rules.conditions import Condition, compile_condition
from pipeline.domain.rules.fields import Facts
from pipeline.domain.rules.operators import money_of

if TYPE_CHECKING:
    from pipeline.domain.orders import Envelope, Order
    from pipeline.domain.rules.active import ActiveRules

MINUTE_MS = 60_000
EVIDENCE_CHARACTERS_MAX = 400
COMPILED_BOOKS_MAX = 16
"""Compiled books that are kept: the active one, those before it, and one that is tried."""
UNKNOWN_CURRENCY = "UNKNOWN_CURRENCY"


class Match(NamedTuple):
    """A rule that matched an order: what it asks for, and why, in words without personal data.

    `deadline_ms` is how long a person has to decide. `asks` names the desk of a hold, those to notify, the services.
    """

    rule_id: str
    version: int
    reason: str
    action: Action
    priority: int
    deadline_ms: int
    evidence: str
    asks: tuple[str, ...] = ()

    @property
    def rule_version(self) -> str:
        """Name the rule and the version of the book that it was in: `risk-pickup-address@7`."""
        return f"{self.rule_id}@{self.version}"


class CompiledRule(NamedTuple):
    """A rule that is switched on, and its condition."""

    rule: Rule
    condition: Condition


class CompiledBook(NamedTuple):
    """The rules that are switched on, by priority; and the currencies that they can compare, where a hold needs one."""

    rules: tuple[CompiledRule, ...]
    currencies: frozenset[str] | None


def compile_book(book: Book) -> CompiledBook:
    """Compile a book that `read_book` gave. Raises RuleError, naming the rule and the path to what is wrong."""
    money, compiled = money_of(book), []
    for rule in book.rules:
        try:
            compiled.append(CompiledRule(rule, compile_condition(rule.when, "when", money)))
        except RuleError as error:
            message = f"rule {rule.id}: {error}"
            raise RuleError(message) from error
    enabled = sorted((one for one in compiled if one.rule.enabled), key=_order)
    has_money = any(one.condition.has_money and one.rule.action is Action.HOLD for one in enabled)
    return CompiledBook(tuple(enabled), frozenset(money.rates) if has_money else None)


def check(book: Book) -> str:
    """Check a book as a whole, and give its canonical text. Raises RuleError."""
    document = document_of(book)
    compiled(document)
    return document


@lru_cache(maxsize=COMPILED_BOOKS_MAX)
def compiled(document: str) -> CompiledBook:
    """Give the compiled book of a text. Raises RuleError."""
    return compile_book(read_book(document))


def evaluate(active: ActiveRules | None, order: Order, envelope: Envelope) -> tuple[Match, ...]:
    """Give all rules of the active book that match an order, the highest priority first; without a book none."""
    return () if active is None else matches(compiled(active.document), active.version, order, envelope)


def matches(book: CompiledBook, version: int, order: Order, envelope: Envelope) -> tuple[Match, ...]:
    """Give all rules of a book that match an order, the highest priority first."""
    facts = Facts(order, envelope)
    found = [_match(one, version, facts) for one in book.rules if one.condition.test(facts)]
    if book.currencies is not None and envelope.currency not in book.currencies:
        found.insert(0, _not_comparable(version, envelope.currency))
    return tuple(found)


def _match(one: CompiledRule, version: int, facts: Facts) -> Match:
    rule = one.rule
    return Match(
        rule.id,
        version,
        rule.reason,
        rule.action,
        rule.priority,
        rule.deadline_minutes * MINUTE_MS,
        one.condition.tell(facts)[:EVIDENCE_CHARACTERS_MAX],
        rule.asks,
    )


def _not_comparable(version: int, currency: str) -> Match:
    evidence = f"the rules ask for amounts, and their book says no rate for {currency or 'an order without currency'}"
    deadline_ms = 24 * 60 * MINUTE_MS
    return Match(CURRENCY_RULE, version, UNKNOWN_CURRENCY, Action.HOLD, 0, deadline_ms, evidence)


def _order(one: CompiledRule) -> tuple[int, str]:
    return -one.rule.priority, one.rule.id
