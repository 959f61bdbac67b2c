"""When orders come."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.profiles.arrival import times
from loadtest.profiles.shape import Phase

RATES = st.floats(0, 200)
PHASES = st.lists(
    st.builds(
        Phase,
        name=st.just("a"),
        seconds=st.floats(0.1, 20),
        per_second=RATES,
        to_per_second=st.none() | RATES,
    ),
    min_size=1,
    max_size=4,
)


def phase(seconds: float, per_second: float, to_per_second: float | None = None) -> Phase:
    return Phase(name="a", seconds=seconds, per_second=per_second, to_per_second=to_per_second)


def test_a_steady_rate_is_one_order_after_the_other() -> None:
    assert list(times([phase(2, 2)], seed=1)) == [0.0, 0.5, 1.0, 1.5]


def test_one_phase_follows_the_other() -> None:
    found = list(times([phase(1, 2), phase(2, 1)], seed=1))
    assert found == pytest.approx([0.0, 0.5, 1.0, 2.0])


def test_nothing_comes_in_a_pause() -> None:
    assert list(times([phase(1, 1), phase(5, 0), phase(1, 1)], seed=1)) == [0.0, 6.0]


def test_a_ramp_has_a_quarter_of_its_orders_in_its_first_half() -> None:
    found = list(times([phase(10, 0, 100)], seed=1))
    assert len(found) == 500
    assert sum(at < 5 for at in found) == pytest.approx(125, abs=1)


@given(PHASES)
def test_as_many_come_as_the_phases_have_in_order_and_in_time(phases: list[Phase]) -> None:
    found = list(times(phases, seed=1))
    assert len(found) == pytest.approx(sum(one.orders for one in phases), abs=1)
    assert all(before <= after + 1e-9 for before, after in pairwise(found))
    assert all(0 <= at <= sum(one.seconds for one in phases) + 1e-6 for at in found)


def test_independent_arrivals_keep_the_rate_and_vary_as_a_poisson_process_does() -> None:
    found = list(times([phase(1000, 20)], seed=3, independent=True))
    assert len(found) == pytest.approx(20_000, rel=0.03)
    gaps = [after - before for before, after in pairwise(found)]
    mean = sum(gaps) / len(gaps)
    assert sum((gap - mean) ** 2 for gap in gaps) / len(gaps) == pytest.approx(mean * mean, rel=0.1)


def test_the_same_seed_gives_the_same_times() -> None:
    assert list(times([phase(10, 20)], seed=3, independent=True)) == list(
        times([phase(10, 20)], seed=3, independent=True)
    )
