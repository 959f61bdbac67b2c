"""Reservation against the oracle's model of it, which shares no code with it: the same answers, the same tables."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from loadtest.oracle.model import reservation
from loadtest.oracle.model.answers import Answers, Asked, Told
from loadtest.oracle.model.folding import name_asked
from pipeline.domain.commands import Command
from pipeline.domain.events import Event
from tests.domain.stages import folded
from tests.domain.stock_chances import beginning, chances
from tests.domain.stock_invariants import check_reservation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtest.oracle.model.answers import Tables
    from tests.domain.folding import Folded

STEPS, RUNS = 250, 16


def plain(value: object) -> Any:  # noqa: ANN401  a table's entry as the changelog has it
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value))


def tables(stage: Folded) -> dict[str, dict[str, Any]]:
    return {name: plain(table) for name, table in stage.tables().items()}


def told(answers: Sequence[object]) -> list[Told]:
    return [(type(one).__name__, one.order_id, one.to_state) for one in answers if isinstance(one, Event)]


def asked(answers: Sequence[object]) -> list[Asked]:
    commands = [msgspec.json.decode(msgspec.json.encode(one)) for one in answers if isinstance(one, Command)]
    return sorted(name_asked(command["command"], command) for command in commands)


@pytest.mark.parametrize("seed", range(RUNS))
def test_reservation_does_what_the_model_says(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a choice to repeat, not a secret
    stage = folded("reservation")
    model: Tables = {name: {} for name in reservation.TABLES}
    for command in [*beginning(), *chances(chance, STEPS)]:
        answers = stage.tell(command)
        wanted = Answers(None)
        reservation.fold(model, msgspec.json.decode(msgspec.json.encode(command)), wanted)
        assert told(answers) == wanted.told, command
        assert asked(answers) == sorted(wanted.asked), command
        assert tables(stage) == plain(model), command
        check_reservation(stage)
