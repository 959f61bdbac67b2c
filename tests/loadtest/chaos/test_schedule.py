"""The schedule of a chaos run is a pure function that leaves no kind out."""

from __future__ import annotations

from itertools import pairwise

import pytest

from loadtest.chaos.kinds import KINDS
from loadtest.chaos.main import chosen
from loadtest.chaos.schedule import PROFILES, count_kinds, draw_schedule, length_seconds
from loadtest.chaos.worker_faults import WORKERS
from pipeline.errors import SettingsError

SHORT, LONG = PROFILES["short"], PROFILES["long"]


def test_no_two_kinds_have_one_name() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_the_same_seed_gives_the_same_schedule_and_another_seed_another() -> None:
    first = draw_schedule(SHORT, 7, 40, KINDS)
    assert draw_schedule(SHORT, 7, 40, KINDS) == first
    assert draw_schedule(SHORT, 8, 40, KINDS) != first


@pytest.mark.parametrize("seed", range(5))
def test_a_short_run_has_every_kind_and_comes_in_time(seed: int) -> None:
    planned = draw_schedule(SHORT, seed, SHORT.faults, KINDS)
    assert set(count_kinds(planned)) == {kind.name for kind in KINDS}
    assert [fault.at_seconds for fault in planned] == sorted(fault.at_seconds for fault in planned)
    assert length_seconds(planned, SHORT) < 200


def test_faults_come_together_sometimes_and_quiet_gaps_lie_between() -> None:
    gaps = [after.at_seconds - before.at_seconds for before, after in pairwise(draw_schedule(LONG, 1, 250, KINDS))]
    assert any(gap == 0 for gap in gaps)
    assert max(gaps) > 2 * LONG.seconds_per_fault
    assert abs(sum(gaps) / len(gaps) - LONG.seconds_per_fault) < LONG.seconds_per_fault / 4


def test_four_long_seeds_plan_what_the_figures_ask_for() -> None:
    counts = [count_kinds(draw_schedule(LONG, seed, LONG.faults, KINDS)) for seed in range(1, 5)]
    together = {kind.name: sum(count[kind.name] for count in counts) for kind in KINDS}
    assert together["zombie"] + together["zombie-in-commit"] >= 60
    assert together["broker-kill"] >= 60
    assert together["clickhouse-kill"] >= 100


def test_too_few_faults_for_all_kinds_are_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="--faults: 3 are not enough"):
        draw_schedule(SHORT, 1, 3, KINDS)


def test_every_fault_of_a_worker_names_one_of_the_rig() -> None:
    planned = draw_schedule(LONG, 3, 250, KINDS)
    resources = {kind.name: kind.resource for kind in KINDS}
    of_workers = [fault for fault in planned if resources[fault.kind] == "worker"]
    assert of_workers
    assert all(fault.params["worker"] in range(WORKERS) for fault in of_workers)


def test_kinds_are_chosen_by_the_beginning_of_their_names() -> None:
    assert [kind.name for kind in chosen("worker-kill")] == ["worker-kill"]
    assert len(chosen("failpoint:commit")) == 2
    assert len(chosen("")) == len(KINDS)
    with pytest.raises(SettingsError, match="--only: no kind of fault begins with 'paus3'"):
        chosen("pause,paus3")
