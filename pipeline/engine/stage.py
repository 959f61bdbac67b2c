"""What a stage is, as a value: what it reads, how it decodes, its tables, its rules, what it writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from pipeline.domain import reasons
from pipeline.errors import PoisonError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from pipeline.domain.commands import Command
    from pipeline.domain.events import Event
    from pipeline.domain.notes import Note
    from pipeline.settings import Settings
    from pipeline.topics import Table, Topic


class Record(NamedTuple):
    """A record as it came from the log. `timestamp_ms` is the broker's (LogAppendTime)."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]

    @property
    def source(self) -> str:
        """Name the record: topic-partition-offset."""
        return f"{self.topic}-{self.partition}-{self.offset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidingStage:
    """A stage that decides: a pure function of its tables and one record of its one input topic.

    `decode(record)` gives the record's commands, or raises PoisonError.
    `decide(state, command)` answers with events (facts, to order.events), commands (requests to the next stages) and
    notes (facts for its own tables alone).
    `evolve(state, fact)` applies an event or a note: the new state is nothing but these.
    `state` is called with one mapping for each of `tables`, in that order, for each partition.
    """

    name: str
    reads: Topic
    decode: Callable[[Record], Sequence[Any]]
    state: Callable[..., Any]
    tables: tuple[Table, ...] = ()
    decide: Callable[[Any, Any], Sequence[Event | Command | Note]]
    evolve: Callable[[Any, Any], None]
    writes: Mapping[type[Command], Topic] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingStage:
    """A stage that calls the world: outside the transaction, under keys that make a repeat harmless.

    `connect(settings)` opens what the calls need and gives `call(command)`, which answers with commands and does not
    raise for what the world does; up to `calls_max` run at once. A call may be repeated after a crash, never skipped.
    """

    name: str
    reads: Topic
    decode: Callable[[Record], Sequence[Any]]
    connect: Callable[[Settings], AbstractAsyncContextManager[Callable[[Any], Awaitable[Sequence[Command]]]]]
    writes: Mapping[type[Command], Topic]
    calls_max: int


Stage = DecidingStage | CallingStage


def decoder(commands: Any) -> Callable[[Record], Sequence[Any]]:  # noqa: ANN401  a union of command types is no type to a checker
    """Give the decoder of a topic that carries one JSON command a record."""
    decode_json = msgspec.json.Decoder(commands).decode

    def decode(record: Record) -> Sequence[Any]:
        value = record.value
        if value is None:
            raise PoisonError(reasons.EMPTY, "the record has no value")
        try:
            return (decode_json(value),)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `$")
            raise PoisonError(reasons.INVALID, message, path.strip(".`")) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise PoisonError(reasons.MALFORMED, f"not JSON: {error}") from error

    return decode
