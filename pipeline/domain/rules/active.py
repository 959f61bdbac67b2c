"""The active book of rules: how a command changes it, and what the stage that holds orders for review keeps of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from pipeline.domain.commands import Command
from pipeline.domain.events import Event
from pipeline.domain.notes import Note
from pipeline.domain.rules import matching as rules
from pipeline.domain.rules.book import Book, RuleError, digest_of, read_book
from pipeline.domain.rules.guard import check_approval

if TYPE_CHECKING:
    from collections.abc import MutableMapping

ACTIVE = "active"
"""The one key of the table of rules."""
Person = Annotated[str, Meta(max_length=128)]
Remark = Annotated[str, Meta(max_length=500)]


class SetRules(Command, frozen=True, kw_only=True):
    """Let a book of rules be in effect from here on; to every partition of dedup's input, from `pipeline rules`.

    Versions only grow: a rollback is a new version with an old book.
    """

    version: Annotated[int, Meta(ge=1)]
    book: Book
    author: Person
    approver: Person = ""
    note: Remark = ""


class RulesActivated(Event, frozen=True, kw_only=True):
    """A book of rules is in effect from here on, in the partition of its cause; `from` and `to` are versions."""

    version: int
    rules: int
    """How many are switched on."""
    digest: str
    """The SHA-256 of the book's canonical JSON."""
    author: str
    approver: str
    note: str


class RulesRepeated(Event, frozen=True, kw_only=True):
    """A version that is known, or older than the active one, came again and changed nothing."""

    version: int


class RulesRefused(Event, frozen=True, kw_only=True):
    """A book makes no sense, or takes a stock gate away without a second person: the active one stays."""

    version: int
    author: str
    reason: str
    evidence: str


class RulesNoted(Note, frozen=True, kw_only=True):
    """The book that is in effect, for the stage's own table."""

    version: int
    document: str
    """Canonical JSON."""


class ActiveRules(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The book that is in effect; its size is bounded by BOOK_BYTES_MAX."""

    version: int
    document: str


def decide(
    active: ActiveRules | None, command: SetRules
) -> tuple[RulesActivated | RulesRepeated | RulesRefused | RulesNoted, ...]:
    """Answer a command. A version that is not above the active one changes nothing."""
    version, before = command.version, active.version if active else 0
    if version <= before:
        return (RulesRepeated(at=command.at, from_state=str(before), to_state=str(before), version=version),)
    try:
        document = rules.check(command.book)
        check_approval(book_of(active), command.book, command.author, command.approver)
    except RuleError as error:
        refused = RulesRefused(
            at=command.at,
            from_state=str(before),
            to_state=str(before),
            version=version,
            author=command.author,
            reason="INVALID",
            evidence=str(error)[: rules.EVIDENCE_CHARACTERS_MAX],
        )
        return (refused,)
    activated = RulesActivated(
        at=command.at,
        from_state=str(before),
        to_state=str(version),
        rule_version=str(version),
        version=version,
        rules=len(rules.compiled(document).rules),
        digest=digest_of(document),
        author=command.author,
        approver=command.approver,
        note=command.note,
    )
    return activated, RulesNoted(version=version, document=document)


def evolve(rulebook: MutableMapping[str, ActiveRules], fact: RulesNoted) -> None:
    """Apply the note; the events beside it change nothing."""
    rulebook[ACTIVE] = ActiveRules(fact.version, fact.document)


def book_of(active: ActiveRules | None) -> Book:
    """Give the active book, or one without rules where none is active."""
    return Book() if active is None else read_book(active.document)
