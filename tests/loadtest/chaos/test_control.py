"""What both sides of the control are given is the same, and tells its records apart."""

from __future__ import annotations

import msgspec
import pytest

from loadtest.chaos.control import KILL_EVERY_SECONDS, WORKERS, kill_times
from loadtest.chaos.control_sides import KEYS, OWN, STOCK, Side
from loadtest.chaos.passing import Count, State, evolve, pass_on
from pipeline.domain.commands import CancelHold, PayOrder


def test_a_seed_draws_the_same_kills_again_in_order() -> None:
    drawn = kill_times(7, 50)
    assert drawn == kill_times(7, 50) != kill_times(8, 50)
    assert [at for at, _ in drawn] == sorted(at for at, _ in drawn)
    assert {slot for _, slot in drawn} == set(range(WORKERS))
    assert drawn[-1][0] <= 50 * KILL_EVERY_SECONDS


@pytest.mark.parametrize("side", [STOCK, OWN], ids=lambda side: side.name)
def test_every_record_has_its_number_and_one_of_the_keys(side: Side) -> None:
    keys = {side.record(number)[0] for number in range(1000)}
    assert len(keys) == KEYS
    assert [side.number(side.record(number)[1]) for number in range(1000)] == list(range(1000))


def test_the_own_stage_passes_each_record_on_under_its_number_and_counts_it() -> None:
    state = State({"p1": Count(4)})
    _, value = OWN.record(1)
    event, command = pass_on(state, msgspec.json.decode(value, type=PayOrder))
    evolve(state, event)  # type: ignore[arg-type]  # the stage emits one kind of event
    assert isinstance(command, CancelHold)
    assert (command.order_id, state.counts["p1"]) == ("1", Count(5))
