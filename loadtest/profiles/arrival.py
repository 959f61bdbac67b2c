"""When the orders of a load come: the times at which the summed rate of its phases reaches 1, 2, 3, … orders."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadtest.profiles.shape import Phase


def times(phases: Sequence[Phase], *, seed: int, independent: bool = False) -> Iterator[float]:
    """Give the intended time of each order, in seconds from the start, in order.

    Evenly: the first at once. Independently of one another: with exponential gaps, a Poisson process of this rate.
    """
    chance = random.Random(seed)  # noqa: S311 - a choice to repeat, not a secret
    due = chance.expovariate(1.0) if independent else 0.0
    begin = before = 0.0
    for phase in phases:
        while due < before + phase.orders:
            yield begin + _within(phase, due - before)
            due += chance.expovariate(1.0) if independent else 1.0
        before += phase.orders
        begin += phase.seconds


def _within(phase: Phase, orders: float) -> float:
    """Give the time in a phase by which so many orders have come: the root of r·t + (s - r)·t²/2T = orders."""
    first, last = phase.per_second, phase.ends_per_second
    root = math.sqrt(first * first + 2 * orders * (last - first) / phase.seconds)
    return 2 * orders / (first + root) if orders else 0.0
