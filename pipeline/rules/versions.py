"""A version of the rules, and how the next one is made of those before it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.domain.rules import matching as rules
from pipeline.domain.rules.book import Book, RuleError, digest_of, document_of
from pipeline.domain.rules.guard import check_approval
from pipeline.errors import HoldfastError

if TYPE_CHECKING:
    from collections.abc import Sequence


class RulesError(HoldfastError):
    """A change of the rules makes no sense, or is not allowed; nothing was changed."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version, as it is in the log. `at` in milliseconds UTC; `change` says what was done, in words."""

    version: int
    at: int
    change: str
    author: str
    approver: str
    note: str
    digest: str
    book: Book


class Said(NamedTuple):
    """Who makes a change, when (ms UTC) and why, and who else approves it."""

    at: int
    author: str
    approver: str
    note: str


def activated(versions: Sequence[Version], book: Book, said: Said) -> Version | None:
    """Give the version that puts a book into effect; None where it is in effect already. Raises RulesError."""
    return _next(versions, book, "activate", said)


def switched(versions: Sequence[Version], rule_id: str, said: Said, *, on: bool) -> Version | None:
    """Give the version in which a rule is switched on or off; None where it is so already. Raises RulesError."""
    last = _last(versions)
    book = last.book
    known = {rule.id for rule in book.rules}
    if rule_id not in known:
        message = f"there is no rule {rule_id} in version {last.version}; there are {', '.join(sorted(known))}"
        raise RulesError(message)
    changed = tuple(msgspec.structs.replace(rule, enabled=on) if rule.id == rule_id else rule for rule in book.rules)
    change = f"switch {rule_id} {'on' if on else 'off'}"
    return _next(versions, msgspec.structs.replace(book, rules=changed), change, said)


def rolled_back(versions: Sequence[Version], number: int, said: Said) -> Version | None:
    """Give the version that has the book of an older one; None where it is in effect already. Raises RulesError."""
    return _next(versions, numbered(versions, number).book, f"roll back to {number}", said)


def numbered(versions: Sequence[Version], number: int) -> Version:
    """Give a version by its number. Raises RulesError."""
    found = next((version for version in versions if version.version == number), None)
    if found is None:
        last = versions[-1].version if versions else 0
        message = f"there is no version {number}; the last one is {last}"
        raise RulesError(message)
    return found


def _last(versions: Sequence[Version]) -> Version:
    if not versions:
        message = "no rules were ever activated: begin with `python -m pipeline rules activate FILE`"
        raise RulesError(message)
    return versions[-1]


def _next(versions: Sequence[Version], book: Book, change: str, said: Said) -> Version | None:
    """Give the next version, once the book and who stands behind it are checked."""
    before = versions[-1].book if versions else Book()
    try:
        document = rules.check(book)
        check_approval(before, book, said.author, said.approver)
    except RuleError as error:
        raise RulesError(str(error)) from error
    if versions and document == document_of(before):
        return None
    return Version(
        version=versions[-1].version + 1 if versions else 1,
        at=said.at,
        change=change,
        author=said.author,
        approver=said.approver,
        note=said.note,
        digest=digest_of(document),
        book=book,
    )
