"""Causes and effects: every record that counts as read was answered as the model answers it, once, and no other was."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from loadtest.oracle.checks import Check
from loadtest.oracle.history import ACKS, EVENTS, INPUTS, LETTERS, OFFSETS, RAW, REVIEWS
from loadtest.oracle.model.folding import RAW_TOPIC, folded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.oracle.history import History

ALL = (OFFSETS, INPUTS, RAW, EVENTS, LETTERS, REVIEWS)


def _records(history: History) -> int:
    return folded(history).records


def _unasked(history: History) -> Iterator[str]:
    for (command, about, units), times in folded(history).asked.items():
        if times:
            lack = "missing" if times > 0 else "too many"
            yield f"{command} about {about} ({units}): {abs(times)} {lack}"


def _unkept(history: History) -> Iterator[str]:
    """Name acknowledged records that are not where the broker said, or have another key."""
    raw = {message.source: message.key for message in history.raw}
    places = Counter(
        f"{topic}-{record.partition}-{record.offset}" for topic, records in history.inputs.items() for record in records
    )
    for ack in history.acks:
        place = f"{ack.topic}-{ack.partition}-{ack.offset}"
        if ack.topic != RAW_TOPIC:
            if not places[place]:
                yield f"{place}: acknowledged, and not in the log"
        elif place not in raw:
            yield f"{place}: acknowledged with key {ack.key}, and not in the log"
        elif (raw[place] or "") != (ack.key or ""):
            yield f"{place}: acknowledged with key {ack.key}, and has key {raw[place]}"


CHECKS = (
    Check(
        "causes answered",
        "every record below the group's offsets has the events that the model gives it, with their ids",
        ALL,
        _records,
        lambda history: iter(folded(history).wrong),
        invariant="I6",
    ),
    Check(
        "commands asked once",
        "every command that a record must ask for is in its topic once, and no other is",
        ALL,
        _records,
        _unasked,
        invariant="I6",
    ),
    Check(
        "nothing ahead",
        "no event is of a record at or above the group's offsets",
        ALL,
        _records,
        lambda history: iter(folded(history).beyond),
        invariant="I6",
    ),
    Check(
        "acknowledged kept",
        "every record that the broker acknowledged is in the log, where it said, with its key",
        (ACKS, RAW, INPUTS),
        lambda history: len(history.acks),
        _unkept,
        invariant="I4",
    ),
)
