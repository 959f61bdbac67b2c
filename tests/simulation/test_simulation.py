"""Thousands of runs of the engine and all stages on a simulated broker, each with its own faults: all must hold."""

from __future__ import annotations

import msgspec
import pytest

from tests.simulation.faults import Act
from tests.simulation.running import report, run_seeds, run_single_faults, shrunk, simulate
from tests.simulation.schedule import Schedule, expand

SEEDS = 2_000
PROCESSES = 2
HITS_MIN = 50
"""Every fault strikes at least so often: one that does not is one that the runs say nothing about."""


@pytest.mark.timeout(300)
def test_whatever_goes_wrong_every_record_has_its_effect_once() -> None:
    found = run_seeds(0, SEEDS, PROCESSES)
    if found.failed:
        pytest.fail(report(shrunk(found.failed[0])))
    assert {act: found.hits[act] for act in Act if found.hits[act] < HITS_MIN} == {}


@pytest.mark.parametrize("variant", [0, 1, 2])
def test_every_fault_at_every_moment_of_a_small_deployment(variant: int) -> None:
    found = run_single_faults(variant)
    if found.failed:
        pytest.fail(report(shrunk(found.failed[0])))
    assert found.hits.total() == found.runs  # each fault struck


def test_the_same_schedule_gives_the_same_run_step_by_step() -> None:
    for seed in range(5):
        assert simulate(expand(seed)) == simulate(expand(seed))


def test_a_schedule_is_data() -> None:
    schedule = expand(7)
    again = msgspec.json.decode(msgspec.json.encode(schedule), type=Schedule)
    assert again == schedule
    assert simulate(again) == simulate(schedule)


def test_without_faults_nobody_stops() -> None:
    for seed in range(20):
        outcome = simulate(expand(seed)._replace(faults=()))
        assert outcome.violations == []
        assert [note for note in outcome.notes if "ends" in note] == []
