"""The verdict on a run: every source read afresh, every check put to it."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from loadtest.oracle import emitted, outcomes, received, stock_checks, world_checks
from loadtest.oracle.checks import Finding, judge
from loadtest.oracle.history import BOOK, EVENTS, FEED, LETTERS, RAW, REVIEWS, STORED, History
from pipeline.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from loadtest.oracle.log import Broker

CHECKS = (*outcomes.CHECKS, *stock_checks.CHECKS, *world_checks.CHECKS)


class Sources(NamedTuple):
    """Where a run left its traces."""

    broker: Broker
    book: Path
    """The carrier's book, a file of JSON lines."""
    clickhouse: str
    """Its HTTP interface."""


def read_history(sources: Sources) -> History:
    """Read everything. A source that cannot be read is named as missing, and its checks are invalid."""
    read: dict[str, Callable[[], Any]] = {
        RAW: lambda: received.read_raw(sources.broker),
        FEED: lambda: received.read_feed(sources.broker),
        EVENTS: lambda: emitted.read_facts(sources.broker),
        LETTERS: lambda: emitted.read_letters(sources.broker),
        REVIEWS: lambda: emitted.read_reviews(sources.broker),
        BOOK: lambda: emitted.read_book(sources.book),
        STORED: lambda: emitted.read_stored(sources.clickhouse),
    }
    found: dict[str, Any] = {}
    missing = {}
    with _without_collector():
        for source, reader in read.items():
            try:
                found[source] = reader()
            except (TransientError, OSError) as error:
                missing[source] = str(error)
    return History(**found, missing=missing)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Millions of small values without a cycle among them: looking for cycles would take most of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def check_all(history: History) -> list[Finding]:
    """Put a history to every check."""
    return [judge(check, history) for check in CHECKS]
