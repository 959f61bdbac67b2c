"""A run is given up when nothing moves any more, and not sooner."""

from __future__ import annotations

from loadtest.chaos.trial import still_for


def test_what_moves_is_waited_for_however_slow_it_is() -> None:
    is_still = still_for(60.0)
    assert not any(is_still(at, {"waiting": 1000 - at}) for at in range(0, 1000, 59))


def test_what_stands_still_is_waited_for_so_long_and_no_longer() -> None:
    is_still = still_for(60.0)
    assert not is_still(100.0, "one")
    assert not is_still(110.0, "two")
    assert not is_still(169.9, "two")
    assert is_still(170.0, "two")
    assert not is_still(171.0, "three")
