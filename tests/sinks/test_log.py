from __future__ import annotations

import pytest

from pipeline.errors import RefusedStartError
from sinks.log import first_offset
from sinks.store import Stored


@pytest.mark.parametrize(
    ("last", "log", "begins"),
    [
        (None, (0, 0), 0),
        (None, (0, 50), 0),
        (Stored(41, 0), (0, 50), 42),
        (Stored(49, 0), (0, 50), 50),
        (Stored(41, 0), (42, 50), 42),
    ],
)
def test_a_partition_goes_on_after_its_last_stored_record(
    last: Stored | None, log: tuple[int, int], begins: int
) -> None:
    assert first_offset(1, last, log, accept_gap=False) == begins


def test_a_store_that_is_ahead_of_the_log_is_refused() -> None:
    with pytest.raises(RefusedStartError, match=r"order.events-1: the store has offset 50, but the log ends at 50"):
        first_offset(1, Stored(50, 0), (0, 50), accept_gap=True)


@pytest.mark.parametrize(("last", "says"), [(Stored(40, 0), "ends at offset 40"), (None, "is empty")])
def test_a_gap_is_refused_unless_it_is_accepted(last: Stored | None, says: str) -> None:
    with pytest.raises(RefusedStartError, match=rf"order.events-1: the store {says}, but the log begins at 42"):
        first_offset(1, last, (42, 50), accept_gap=False)
    assert first_offset(1, last, (42, 50), accept_gap=True) == 42
