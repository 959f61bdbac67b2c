"""The simulator can fail: each mutant of the engine is caught, and what is left of the schedule then is small.

`python -m tests.simulation.run --mutants` says by how many of 200 seeds each is caught.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.faults import Act, Fault
from tests.simulation.mutants import MADE_UP_FOR, MUTANTS
from tests.simulation.running import shrunk, simulate
from tests.simulation.schedule import Schedule, expand
from tests.simulation.shrink import shrink

if TYPE_CHECKING:
    from collections.abc import Iterable

SEEDS_MAX = 600
SURVIVING_SEEDS = 40


def first_caught(mutant: str, seeds: Iterable[int]) -> Schedule | None:
    schedules = (expand(seed) for seed in seeds)
    return next((schedule for schedule in schedules if simulate(schedule, mutant).violations), None)


@pytest.mark.parametrize("mutant", sorted(MUTANTS.keys() - MADE_UP_FOR.keys()))
def test_a_mutant_is_caught(mutant: str) -> None:
    assert first_caught(mutant, range(SEEDS_MAX)) is not None


@pytest.mark.parametrize("mutant", sorted(MADE_UP_FOR))
def test_another_layer_makes_up_for_a_mutant(mutant: str) -> None:
    assert first_caught(mutant, range(SURVIVING_SEEDS)) is None


@pytest.mark.parametrize("mutant", ["marker_before_output", "no_group_metadata", "restore_uncommitted"])
def test_a_schedule_that_catches_a_mutant_is_small_once_it_is_shrunk(mutant: str) -> None:
    schedule = first_caught(mutant, range(SEEDS_MAX))
    assert schedule is not None
    small = shrunk(schedule, mutant)
    assert simulate(small, mutant).violations != []
    assert simulate(small).violations == []
    assert len(small.faults) <= 2
    assert len(small.inputs) <= 6
    assert sum(map(bool, small.decisions)) <= 64


def test_shrinking_keeps_what_is_needed_and_nothing_else() -> None:
    schedule = expand(11)
    fault = Fault(Act.KILL, 0, 99)
    needed = schedule.inputs[1]
    start = schedule._replace(faults=(*schedule.faults, fault))
    small = shrink(
        start, lambda tried: fault in tried.faults and needed in tried.inputs and 7 in (d % 16 for d in tried.decisions)
    )
    assert small.faults == (fault,)
    assert small.inputs == (needed,)
    assert [decision % 16 for decision in small.decisions if decision] == [7]
    assert small.sizes.workers == 1
