"""When a worker commits again."""

from __future__ import annotations

import pytest

from pipeline.engine.pacing import pause_seconds

INTERVAL_SECONDS = 0.1


@pytest.mark.parametrize(
    ("took_seconds", "records", "waited_seconds", "pause"),
    [
        (0.02, 1, 0.05, 0.02 / 32),  # one order on an idle broker
        (0.02, 32, 0.05, 0.02),
        (0.02, 5000, 0.05, 0.02),
        (0.3, 5000, 0.05, 0.1),  # a busy broker: up to the interval
        (0.3, 5000, 1.0, 0.1),  # as long as a tenth of what records wait is no more than that
        (0.05, 5000, 5.0, 0.2),  # a backlog: four times the commit …
        (0.3, 5000, 5.0, 0.5),  # … up to a tenth of the wait …
        (0.3, 5000, 600.0, 1.0),  # … up to a second
    ],
)
def test_a_pause_follows_from_the_commit_and_from_what_records_waited(
    took_seconds: float, records: int, waited_seconds: float, pause: float
) -> None:
    assert pause_seconds(took_seconds, records, waited_seconds, INTERVAL_SECONDS) == pytest.approx(pause)
