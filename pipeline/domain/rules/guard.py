"""Who may change what in the book of rules: a stock gate is never taken away by one person alone.

Where one rule node was deleted by mistake, one merchant oversold 27 orders in three days before anybody saw it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.domain.rules.book import Protects, RuleError

if TYPE_CHECKING:
    from pipeline.domain.rules.book import Book, Rule


def gates(book: Book) -> dict[str, Rule]:
    """Give the stock gates that are switched on, by id; without their notes, which change nothing."""
    on = [rule for rule in book.rules if rule.enabled and rule.protects is Protects.STOCK]
    return {rule.id: msgspec.structs.replace(rule, note="") for rule in on}


def weakened(before: Book, after: Book) -> list[str]:
    """Say how a book takes away or changes stock gates of the one before it, or goes without any."""
    kept = gates(after)
    found = []
    for rule_id, rule in gates(before).items():
        if rule_id not in kept:
            found.append(f"stock gate {rule_id} is removed or switched off")
        elif kept[rule_id] != rule:
            found.append(f"stock gate {rule_id} is changed")
    if not kept and not found:
        found.append("the book has no stock gate")
    return found


def check_approval(before: Book, after: Book, author: str, approver: str) -> None:
    """Refuse a change that needs a second person and does not have one. Raises RuleError."""
    if not author.strip():
        message = "author: says who changes the rules, and is empty"
        raise RuleError(message)
    found = weakened(before, after)
    if not found:
        return
    if not approver.strip():
        message = f"approver: a second person must approve, because {'; '.join(found)}"
        raise RuleError(message)
    if approver.strip().casefold() == author.strip().casefold():
        message = f"approver: {author} cannot approve their own change: {'; '.join(found)}"
        raise RuleError(message)
