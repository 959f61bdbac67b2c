"""The verdict on a run: every source read afresh, every check put to it."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaException

from loadtest.oracle import (
    bound_checks,
    cause_checks,
    changelogs,
    emitted,
    fault_checks,
    group,
    noted,
    order_checks,
    outcomes,
    placed,
    received,
    state_checks,
    stock_checks,
    stored,
    world_checks,
)
from loadtest.oracle import history as of
from loadtest.oracle.checks import Finding, judge
from loadtest.oracle.history import History
from loadtest.oracle.privacy import Lookout, look_at_files, look_at_rows
from pipeline.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from loadtest.oracle.checks import Check
    from loadtest.oracle.log import Broker

CHECKS: tuple[Check, ...] = (
    *outcomes.CHECKS,
    *stock_checks.CHECKS,
    *world_checks.CHECKS,
    *cause_checks.CHECKS,
    *order_checks.CHECKS,
    *state_checks.CHECKS,
    *bound_checks.CHECKS,
    *fault_checks.CHECKS,
)
OF_A_GROUP = (of.OFFSETS, of.INPUTS, of.ENDS, of.CHANGELOGS)
OF_CHAOS = (of.ACKS, of.FAULTS, of.SAMPLES, of.REPLAY, of.ABORTED)
AT_REST = frozenset({of.STORED, of.FUNNEL, of.MINUTES, of.PARTS, of.PLACES, of.CHANGELOGS, of.ENDS, *OF_CHAOS})
"""What no check reads that holds at any moment."""


class Sources(NamedTuple):
    """Where a run left its traces. What is not given is not judged."""

    broker: Broker
    book: Path
    """The carrier's book, a file of JSON lines."""
    clickhouse: str
    """Its HTTP interface."""
    group: str = ""
    """The consumer group of the stages, which is the deployment's name."""
    redis: str = ""
    run_dir: Path | None = None
    """Where the processes of the run write what they say."""
    chaos: bool = False
    """Whether the run directory has what a chaos run notes of itself: all of it is wanted then."""


class Reader(NamedTuple):
    """Reads some sources at once; gives what a History calls them."""

    sources: tuple[str, ...]
    read: Callable[[], dict[str, Any]]


def read_history(sources: Sources, *, live: bool = False) -> History:
    """Read everything. A source that cannot be read is named as missing, and its checks are invalid.

    What is caused is read before its causes. Of a run that is `live`, only what the checks of any moment need is read,
    and of the events only those of records that counted as read when the reading began: a consistent cut.
    """
    found: dict[str, Any] = {}
    missing: dict[str, str] = {}
    wanted = [reader for reader in _readers(sources, found) if not (live and AT_REST.issuperset(reader.sources))]
    with _without_collector():
        for reader in wanted:
            try:
                found |= reader.read()
            except (TransientError, KafkaException, OSError) as error:
                missing |= dict.fromkeys(reader.sources, str(error))
    known = {source for reader in wanted for source in reader.sources}
    if live and of.OFFSETS in found and "facts" in found:
        found["facts"] = [fact for fact in found["facts"] if _is_read(fact.cause, found[of.OFFSETS])]
    return History(**found, missing=missing, absent=_all_sources() - known)


def _is_read(cause: str, offsets: dict[tuple[str, int], int]) -> bool:
    topic, partition, offset = cause.rsplit("-", 2)
    return int(offset) < offsets.get((topic, int(partition)), 0)


def _all_sources() -> frozenset[str]:
    return frozenset(source for check in CHECKS for source in check.needs)


def _readers(sources: Sources, found: dict[str, Any]) -> Iterator[Reader]:
    broker, lookout = sources.broker, Lookout()
    if sources.group:
        yield Reader((of.OFFSETS,), lambda: {"offsets": group.read_offsets(broker, sources.group)})
    yield Reader((of.BOOK,), lambda: {"book": emitted.read_book(sources.book)})
    yield Reader((of.EVENTS,), lambda: emitted.read_events(broker, lookout))
    if sources.chaos:
        yield Reader((of.ABORTED,), lambda: {"aborted": emitted.read_aborted(broker, len(found["facts"]))})
    yield Reader((of.LETTERS,), lambda: {"letters": emitted.read_letters(broker, lookout)})
    yield Reader((of.REVIEWS,), lambda: {"reviews": emitted.read_reviews(broker)})
    yield Reader((of.INPUTS, of.FEED), lambda: received.read_inputs(broker, lookout))
    yield Reader((of.RAW,), lambda: {"raw": received.read_raw(broker, lookout)})
    yield from _readers_of_stores(sources, lookout)
    if sources.group:
        yield Reader((of.CHANGELOGS,), lambda: {"changelogs": changelogs.read_changelogs(broker, lookout)})
        yield Reader((of.ENDS,), lambda: {"ends": group.read_ends(broker)})
    if sources.chaos and sources.run_dir is not None:
        yield from _readers_of_chaos(sources.run_dir)
    yield Reader((of.SCANNED,), lambda: _scan(sources, lookout))


def _readers_of_stores(sources: Sources, lookout: Lookout) -> Iterator[Reader]:
    clickhouse = sources.clickhouse
    yield Reader((of.STORED,), lambda: {"stored": stored.read_stored(clickhouse)})
    yield Reader((of.FUNNEL,), lambda: {"funnel": stored.read_funnel(clickhouse)})
    yield Reader((of.MINUTES,), lambda: {"minutes": stored.read_minutes(clickhouse)})
    yield Reader((of.PARTS,), lambda: {"parts": stored.read_parts(clickhouse)})
    if sources.redis and sources.group:
        yield Reader((of.PLACES,), lambda: {"places": placed.read_places(sources.redis, sources.group, lookout)})


def _readers_of_chaos(run_dir: Path) -> Iterator[Reader]:
    yield Reader((of.ACKS,), lambda: {"acks": noted.read_acks(run_dir)})
    yield Reader((of.FAULTS,), lambda: {"faults": noted.read_faults(run_dir)})
    yield Reader((of.SAMPLES,), lambda: {"samples": noted.read_samples(run_dir)})
    yield Reader((of.REPLAY,), lambda: {"replay": noted.read_replay(run_dir)})


def _scan(sources: Sources, lookout: Lookout) -> dict[str, Any]:
    """Look through what was not read for anything else, and give all that the lookout has seen."""
    look_at_rows(lookout, sources.clickhouse)
    if sources.run_dir is not None:
        look_at_files(lookout, sources.run_dir)
    return {"scanned": lookout.scan()}


@contextmanager
def _without_collector() -> Iterator[None]:
    """Millions of small values without a cycle among them: looking for cycles would take most of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def check_all(history: History) -> list[Finding]:
    """Put a history to every check whose sources the run has."""
    return _check(history, CHECKS)


def check_anytime(history: History) -> list[Finding]:
    """Put a history, which may be of a run that goes on, to the checks that hold at any moment."""
    return [finding for finding in _check(history, [check for check in CHECKS if check.anytime]) if finding.judged]


def _check(history: History, checks: Sequence[Check]) -> list[Finding]:
    with _without_collector():
        return [judge(check, history) for check in checks if history.absent.isdisjoint(check.needs)]
