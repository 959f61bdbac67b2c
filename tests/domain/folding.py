"""A stage in a test: its rules on plain dicts, and a record of all that it answered."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.domain.commands import Command
from pipeline.domain.events import Event
from pipeline.domain.memory import Memory
from pipeline.domain.notes import Note

if TYPE_CHECKING:
    from pipeline.engine.stage import DecidingStage


def fresh_state(stage: DecidingStage) -> Any:  # noqa: ANN401  each stage has its own
    """Give a stage's state with empty tables."""
    return stage.state(*(Memory() for _ in stage.tables))


def tables(stage: DecidingStage, state: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401
    """Copy a state's tables, by name."""
    return {
        table.name: dict(getattr(state, one.name))
        for table, one in zip(
            stage.tables, [one for one in fields(state) if one.init] if stage.tables else (), strict=True
        )
    }


@dataclass
class Folded:
    """A stage, folded over the commands that it was told."""

    stage: DecidingStage
    state: Any = None
    facts: list[Event | Note] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = fresh_state(self.stage)

    def tell(self, command: Any) -> list[Any]:  # noqa: ANN401  a command, or what ingest decodes
        """Decide, apply the facts, and give the whole answer."""
        answers = list(self.stage.decide(self.state, command))
        for fact in answers:
            if isinstance(fact, Event | Note):
                self.stage.evolve(self.state, fact)
                self.facts.append(fact)
        return answers

    def tables(self) -> dict[str, dict[str, Any]]:
        """Copy the tables."""
        return tables(self.stage, self.state)


def events(answers: list[Any]) -> list[Event]:
    """Give an answer's events."""
    return [answer for answer in answers if isinstance(answer, Event)]


def requests(answers: list[Any]) -> list[Command]:
    """Give an answer's commands."""
    return [answer for answer in answers if isinstance(answer, Command)]


def names(answers: list[Any]) -> list[str]:
    """Name what an answer consists of, without its notes."""
    return [type(answer).__name__ for answer in answers if not isinstance(answer, Note)]


def through_json(fact: Event | Note) -> Event | Note:
    """Write a fact as JSON and read it again."""
    return msgspec.json.decode(msgspec.json.encode(fact), type=type(fact))
