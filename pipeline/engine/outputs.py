"""How a stage's answers leave it: events to order.events, commands to the next stages, bad records to dead.letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline import topics

if TYPE_CHECKING:
    from pipeline.domain.events import Event
    from pipeline.engine.stage import Record
    from pipeline.errors import PoisonError

encode_json = msgspec.json.Encoder().encode
ERROR_CHARACTERS_MAX = 1000


def event_json(stage: str, cause: str, index: int, event: Event) -> bytes:
    """Encode an event as one flat JSON object: the ids derive from the record that caused it."""
    return f'{{"id":"{cause}-{index}","stage":"{stage}","cause":"{cause}",'.encode() + encode_json(event)[1:]


def dead_letter_headers(stage: str, record: Record, error: PoisonError) -> list[tuple[str, bytes]]:
    """Say where a dead letter came from and why; the record's own headers stay, after ours."""
    ours = {
        "error.reason": error.reason,
        "error.field": error.field,
        "error.message": str(error)[:ERROR_CHARACTERS_MAX],
        "error.stage": stage,
        "source.topic": record.topic,
        "source.partition": str(record.partition),
        "source.offset": str(record.offset),
        "source.timestamp_ms": str(record.timestamp_ms),
    }
    return [(name, text.encode(errors="backslashreplace")) for name, text in ours.items()] + list(record.headers)


DEAD_LETTERS = topics.DEAD_LETTERS.name
ORDER_EVENTS = topics.ORDER_EVENTS.name
