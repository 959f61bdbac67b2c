"""The one loop that runs every deciding stage: decode, decide, evolve, emit. Synchronous; it never awaits."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from pipeline import metrics
from pipeline.domain.events import Event
from pipeline.domain.notes import Note
from pipeline.engine.outputs import (
    DEAD_LETTERS,
    ORDER_EVENTS,
    dead_letter_headers,
    encode_json,
    event_json,
)
from pipeline.errors import EngineError, PoisonError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.domain.commands import Command
    from pipeline.engine.stage import DecidingStage, Record, Stage
    from pipeline.engine.tables import PartitionTables
    from pipeline.topics import Topic

HOLD_OUTCOMES = {
    "HoldPlaced": "placed",
    "HoldRefused": "refused",
    "HoldRepeated": "repeated",
    "HoldConsumed": "consumed",
    "HoldReleased": "released",
}


class Deciding:
    """A deciding stage at work. Counts what it emitted since the last commit."""

    def __init__(self, stage: DecidingStage, produce: Any, dead_letters_in_a_row_max: int) -> None:  # noqa: ANN401  C code
        self.stage = stage
        self.events: defaultdict[type[Event], int] = defaultdict(int)
        self.dead_letters: Counter[str] = Counter()
        self.produce = produce
        self._dead_letters_in_a_row_max = dead_letters_in_a_row_max
        self._routes: Mapping[type, tuple[str, str]] = routes(stage)
        self._batch_seconds = metrics.BATCH_SECONDS.labels(stage.name)

    def run(self, tables: PartitionTables, records: Iterable[Record]) -> None:
        """Process a batch of one partition, in order."""
        started = time.perf_counter()
        decode, paged = self.stage.decode, tables.paged
        for record in records:
            try:
                commands = decode(record)
            except PoisonError as error:
                self._bury(tables, record, error)
                continue
            tables.dead_letters_in_a_row = 0
            for command in commands:
                if command.at > tables.watermark_ms:
                    tables.advance(command.at, record.timestamp_ms)
            self._answer(tables.state, record.source, commands)
            if paged:
                tables.turn_pages()
        self._batch_seconds.observe(time.perf_counter() - started)

    def count(self) -> None:
        """Count what was emitted since the last commit, now that it is visible."""
        name = self.stage.name
        for kind, number in self.events.items():
            event = kind.__name__
            metrics.EVENTS.labels(name, event).inc(number)
            if event in HOLD_OUTCOMES:
                metrics.HOLDS.labels(HOLD_OUTCOMES[event]).inc(number)
        for reason, number in self.dead_letters.items():
            metrics.DEAD_LETTERS.labels(name, reason).inc(number)
        self.events.clear()
        self.dead_letters.clear()

    def _answer(self, state: object, cause: str, commands: Iterable[Any]) -> None:
        """Decide on the commands of one record, and emit the answers."""
        decide, evolve, produce, routes = self.stage.decide, self.stage.evolve, self.produce, self._routes
        index = 0
        for command in commands:
            for answer in decide(state, command):
                route = routes.get(type(answer))
                if route is not None:
                    topic, key = route
                    produce(topic, encode_json(answer), getattr(answer, key))
                elif isinstance(answer, Event):
                    evolve(state, answer)
                    produce(ORDER_EVENTS, event_json(self.stage.name, cause, index, answer), answer.order_id)
                    self.events[type(answer)] += 1
                    index += 1
                elif isinstance(answer, Note):
                    evolve(state, answer)
                else:
                    message = f"{self.stage.name}: no topic is named for {type(answer).__name__}"
                    raise EngineError(message)

    def _bury(self, tables: PartitionTables, record: Record, error: PoisonError) -> None:
        """Write a dead letter. Too many in a row are a bad deploy, not bad records: the worker stops."""
        bury(self.produce, self.stage.name, record, error)
        self.dead_letters[error.reason] += 1
        tables.dead_letters_in_a_row += 1
        if tables.dead_letters_in_a_row > self._dead_letters_in_a_row_max:
            message = (
                f"{self.stage.name}: {tables.dead_letters_in_a_row} dead letters in a row "
                f"(HOLDFAST_DEAD_LETTERS_IN_A_ROW_MAX), the last one {record.source}: {error}"
            )
            raise EngineError(message)


def bury(produce: Any, stage: str, record: Record, error: PoisonError) -> None:  # noqa: ANN401  C code
    """Write a dead letter: the record as it was, with where and why in its headers."""
    headers = dead_letter_headers(stage, record, error)
    produce(DEAD_LETTERS, record.value, record.key, -1, None, None, 0, headers)


def routes(stage: Stage) -> dict[type[Command], tuple[str, str]]:
    """Give for each command type its topic's name and the field that keys it."""
    return {command: (topic.name, key_field(topic)) for command, topic in stage.writes.items()}


def key_field(topic: Topic) -> str:
    """Give the field of a command that keys a topic."""
    return {"stock pool": "pool", "fulfilment order": "fulfilment_id"}[topic.key]
