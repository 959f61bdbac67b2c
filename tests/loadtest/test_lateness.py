"""How late a generator was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loadtest.lateness import percentile, report


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50.0, 95.0, 99.0, 100.0]
    assert percentile([], 0.5) == 0.0
    assert percentile([3.0], 0.01) == 3.0


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0, 1))
def test_at_least_its_share_of_values_does_not_exceed_a_percentile(values: list[float], share: float) -> None:
    bound = percentile(values, share)
    assert sum(value <= bound for value in values) >= share * len(values) - 1e-9


def test_a_run_in_time_is_valid_and_one_that_was_late_or_lost_records_is_not() -> None:
    assert report([0.001] * 100, 1.0, 1.0, 0).valid
    assert not report([0.001] * 90 + [0.3] * 10, 1.0, 1.2, 0).valid
    assert not report([0.001] * 100, 1.0, 1.0, 1).valid


def test_rates_are_records_by_time() -> None:
    sent = report([0.0] * 100, 2.0, 4.0, 0)
    assert (sent.intended_per_second, sent.achieved_per_second) == (50.0, 25.0)
