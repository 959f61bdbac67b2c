"""The rules as text for people."""

from __future__ import annotations

import difflib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.domain.rules.book import Book
    from pipeline.rules.shadow import Replay
    from pipeline.rules.versions import Version

DIGEST_CHARACTERS = 12


def time_of(at_ms: int) -> str:
    """Give a time as people read it, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def head(version: Version) -> str:
    """Say in one line what a version is."""
    approved = f", approved by {version.approver}" if version.approver else ""
    note = f": {version.note}" if version.note else ""
    return (
        f"version {version.version} of {time_of(version.at)} UTC by {version.author}{approved}{note} "
        f"({version.digest[:DIGEST_CHARACTERS]})"
    )


def book_table(book: Book) -> Table:
    """List a book's rules, those that are switched off too."""
    table = Table("rule", "", "priority", "action", "reason", "when", box=None, pad_edge=False)
    for rule in sorted(book.rules, key=lambda rule: (-rule.priority, rule.id)):
        asks = f" ({', '.join(rule.asks)})" if rule.asks else ""
        gate = " [stock gate]" if rule.protects else ""
        state = "on" if rule.enabled else "off"
        when = json.dumps(rule.when, ensure_ascii=False)
        table.add_row(rule.id, state, str(rule.priority), f"{rule.action}{asks}{gate}", rule.reason, when)
    return table


def history_table(versions: Sequence[Version]) -> Table:
    """List the versions, the newest first."""
    table = Table("version", "at (UTC)", "change", "author", "approver", "note", "digest", box=None, pad_edge=False)
    for one in reversed(versions):
        digest = one.digest[:DIGEST_CHARACTERS]
        table.add_row(str(one.version), time_of(one.at), one.change, one.author, one.approver, one.note, digest)
    return table


def replay_table(replay: Replay) -> Table:
    """List what each rule does now and would do."""
    table = Table("rule", "action", "now", "then", "gained", "lost", box=None, pad_edge=False)
    for one in replay.rules:
        numbers = (one.now, one.then, one.gained, one.lost)
        table.add_row(one.rule, one.action, *(f"{number:,}" for number in numbers))
    return table


def replay_head(replay: Replay) -> str:
    """Say in two lines what a replay found."""
    if not replay.orders:
        return "no order was ever submitted: there is nothing to try the rules on"
    return (
        f"{replay.orders:,} orders ({replay.submissions:,} submissions from {time_of(replay.first_ms)} to "
        f"{time_of(replay.last_ms)} UTC)\nheld now {replay.held_now:,}, then {replay.held_then:,}: "
        f"{replay.newly_held:,} more, {replay.no_longer_held:,} no longer"
    )


def difference(old: Version, new: Version) -> Iterator[str]:
    """Give the lines in which two versions differ, as a unified diff of their JSON."""
    names = f"version {old.version}", f"version {new.version}"
    return difflib.unified_diff(_lines(old.book), _lines(new.book), *names, lineterm="")


def _lines(book: Book) -> list[str]:
    return json.dumps(msgspec.to_builtins(book), ensure_ascii=False, indent=2).splitlines()
