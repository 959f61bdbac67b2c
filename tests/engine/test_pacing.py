"""When a worker commits again."""

from __future__ import annotations

import pytest

from pipeline.engine.pacing import patience_seconds, pause_seconds

INTERVAL_SECONDS = 0.1


@pytest.mark.parametrize(
    ("took_seconds", "records", "pause"),
    [
        (0.02, 1, 0.02 / 32),  # one order on an idle broker
        (0.02, 32, 0.02),
        (0.02, 5000, 0.02),
        (0.3, 5000, 0.1),  # a busy broker: up to the interval
    ],
)
def test_a_pause_follows_from_the_commit(took_seconds: float, records: int, pause: float) -> None:
    assert pause_seconds(took_seconds, records, INTERVAL_SECONDS) == pytest.approx(pause)


@pytest.mark.parametrize(
    ("waited_seconds", "patience"),
    [
        (0.05, 0.1),
        (1.0, 0.1),  # as long as a tenth of what records wait is no more than the interval
        (5.0, 0.5),  # a backlog: a tenth of the wait …
        (600.0, 1.0),  # … up to a second
    ],
)
def test_a_commit_waits_for_more_input_where_records_have_waited_long(waited_seconds: float, patience: float) -> None:
    assert patience_seconds(waited_seconds, INTERVAL_SECONDS) == pytest.approx(patience)
