"""Shadow replay: how past orders would fare under a book that is not in effect. It reads, and writes nothing."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from confluent_kafka import KafkaException, TopicPartition

from pipeline import topics
from pipeline.domain.commands import SubmitOrder
from pipeline.domain.rules import matching as rules
from pipeline.domain.rules.book import Action
from pipeline.engine import clients
from pipeline.errors import HoldfastError
from pipeline.rules.log import METADATA_SECONDS, read_to_end

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.domain.rules.book import Book
    from pipeline.domain.rules.matching import CompiledBook
    from pipeline.settings import Settings

LAST_DEFAULT = 10_000
LAST_MAX = 200_000
"""Submissions that are looked at, at most: they are in memory at once, from each partition."""
MARK = b'"SubmitOrder"'

_decode = msgspec.json.Decoder(SubmitOrder).decode


class Past(NamedTuple):
    """A submission of an order, and when the broker appended it (ms UTC)."""

    appended_ms: int
    submission: SubmitOrder


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule does with the orders: how many it matches now and would match, and how many would differ."""

    rule: str
    action: str
    now: int
    then: int
    gained: int
    lost: int


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What a book would do with past orders, against the one in effect."""

    submissions: int
    orders: int
    first_ms: int
    last_ms: int
    held_now: int
    held_then: int
    newly_held: int
    no_longer_held: int
    rules: tuple[Change, ...]


def past_orders(settings: Settings, last: int) -> list[Past]:
    """Read the last submissions of orders, the oldest first. Raises HoldfastError."""
    ends = _ends(settings)
    past = [one for number, (low, high) in ends.items() for one in _of_partition(settings, number, (low, high), last)]
    return sorted(past, key=lambda one: one.appended_ms)[-last:]


def _ends(settings: Settings) -> dict[int, tuple[int, int]]:
    """Give the first and the next offset of each partition of order.commands. Raises HoldfastError."""
    name = topics.ORDER_COMMANDS.name
    reader = clients.committed_reader(settings)
    try:
        found = reader.list_topics(name, METADATA_SECONDS).topics[name]
        ends = {
            number: reader.get_watermark_offsets(TopicPartition(name, number), METADATA_SECONDS)
            for number in found.partitions
        }
    except KafkaException as error:
        message = f"topic {name} cannot be looked at: {error.args[0].str()}"
        raise HoldfastError(message) from error
    finally:
        reader.close()
    if found.error is not None or not ends:
        message = f"topic {name} does not exist: run `python -m pipeline topics`"
        raise HoldfastError(message)
    return ends


def _of_partition(settings: Settings, number: int, ends: tuple[int, int], last: int) -> Iterable[Past]:
    """Read a partition's last submissions; further back where other commands stand between them."""
    low, high = ends
    window = last
    while True:
        start = max(low, high - window)
        found: deque[Past] = deque(maxlen=last)
        for message in read_to_end(settings, TopicPartition(topics.ORDER_COMMANDS.name, number, start)):
            value = message.value() or b""
            if MARK in value and (submission := _submission(value)) is not None:
                found.append(Past(message.timestamp()[1], submission))
        if len(found) == last or start == low:
            return found
        window *= 2


def _submission(value: bytes) -> SubmitOrder | None:
    """Decode a submission; what is none, or is a dead letter anyhow, does not count."""
    try:
        return _decode(value)
    except msgspec.MsgspecError:
        return None


def replay(now: Book, then: Book, past: Sequence[Past]) -> Replay:
    """Evaluate both books on each order, as it was shown last. Raises RuleError for a book that makes no sense."""
    before, after = rules.compile_book(now), rules.compile_book(then)
    orders = {one.submission.order.internal_order_id: one.submission for one in past}
    held = Counter[tuple[bool, bool]]()
    counts = Counter[tuple[str, str, bool, bool]]()
    for submission in orders.values():
        old, new = _actions(before, submission), _actions(after, submission)
        held[Action.HOLD in old.values(), Action.HOLD in new.values()] += 1
        for rule_id in {**old, **new}:
            counts[rule_id, new.get(rule_id, old.get(rule_id, "")), rule_id in old, rule_id in new] += 1
    return Replay(
        submissions=len(past),
        orders=len(orders),
        first_ms=past[0].appended_ms if past else 0,
        last_ms=past[-1].appended_ms if past else 0,
        held_now=held[True, True] + held[True, False],
        held_then=held[True, True] + held[False, True],
        newly_held=held[False, True],
        no_longer_held=held[True, False],
        rules=_changes(before, after, counts),
    )


def _actions(book: CompiledBook, submission: SubmitOrder) -> dict[str, str]:
    return {match.rule_id: match.action for match in rules.matches(book, 0, submission.order, submission.envelope)}


def _changes(
    before: CompiledBook, after: CompiledBook, counts: Counter[tuple[str, str, bool, bool]]
) -> tuple[Change, ...]:
    """Give a line for each rule of either book, those that match nothing too."""
    actions: dict[str, str] = {one.rule.id: one.rule.action for one in (*before.rules, *after.rules)}
    actions |= {rule_id: action for rule_id, action, _, _ in counts}
    found = []
    for rule_id, action in actions.items():
        both = counts[rule_id, action, True, True]
        lost, gained = counts[rule_id, action, True, False], counts[rule_id, action, False, True]
        found.append(Change(rule=rule_id, action=action, now=both + lost, then=both + gained, gained=gained, lost=lost))
    return tuple(found)
