"""Shrinking: from a schedule that fails to a small one that fails as well, by leaving out whatever is not needed.

First faults, then input, then size and habits, then decisions; again as long as something can go. After Zeller and
Hildebrandt, "Simplifying and isolating failure-inducing input" (delta debugging), one piece at a time where there are
few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.schedule import PLAIN_HABITS, Schedule, Sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUNS_MAX = 600
"""Runs that one shrinking may take."""
ROUNDS_MAX = 6


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    """Give a schedule that fails and from which nothing can be left out, as far as that was tried."""
    left = RUNS_MAX
    for _ in range(ROUNDS_MAX):
        before = schedule
        for smaller in (_fewer_faults, _fewer_inputs, _smaller_sizes, _plainer_habits, _fewer_decisions):
            schedule, left = _reduce(smaller, schedule, fails, left)
        if schedule == before or left <= 0:
            break
    return schedule


def _reduce(
    smaller: Callable[[Schedule], Iterator[Schedule]],
    schedule: Schedule,
    fails: Callable[[Schedule], bool],
    left: int,
) -> tuple[Schedule, int]:
    """Take the first smaller schedule that fails, until there is none."""
    while left > 0:
        for attempt in smaller(schedule):
            left -= 1
            if fails(attempt):
                schedule = attempt
                break
            if left <= 0:
                return schedule, left
        else:
            return schedule, left
    return schedule, left


def _fewer_faults(schedule: Schedule) -> Iterator[Schedule]:
    for place in range(len(schedule.faults)):
        yield schedule._replace(faults=(*schedule.faults[:place], *schedule.faults[place + 1 :]))


def _fewer_inputs(schedule: Schedule) -> Iterator[Schedule]:
    inputs = schedule.inputs
    half = len(inputs) // 2
    if half > 1:
        yield schedule._replace(inputs=inputs[:half])
    for place in reversed(range(len(inputs))):
        yield schedule._replace(inputs=(*inputs[:place], *inputs[place + 1 :]))


def _smaller_sizes(schedule: Schedule) -> Iterator[Schedule]:
    sizes = schedule.sizes
    if sizes.workers > 1:
        faults = tuple(fault for fault in schedule.faults if fault.slot < sizes.workers - 1)
        yield schedule._replace(sizes=sizes._replace(workers=sizes.workers - 1), faults=faults)
    plain = Sizes(sizes.workers, 1, 8, 2048)
    for field, value in plain._asdict().items():
        if getattr(sizes, field) != value:
            yield schedule._replace(sizes=sizes._replace(**{field: value}))


def _plainer_habits(schedule: Schedule) -> Iterator[Schedule]:
    for field, value in PLAIN_HABITS._asdict().items():
        if getattr(schedule.habits, field) != value:
            yield schedule._replace(habits=schedule.habits._replace(**{field: value}))


def _fewer_decisions(schedule: Schedule) -> Iterator[Schedule]:
    decisions = schedule.decisions.rstrip(b"\0")
    if len(decisions) < len(schedule.decisions):
        yield schedule._replace(decisions=decisions)
        return
    size = len(decisions)
    for cut in (0, size // 2, size * 3 // 4, size * 7 // 8, size - 1):
        if cut < size:
            yield schedule._replace(decisions=decisions[:cut])
    step = max(1, size // 8)
    while step:
        for start in range(0, size, step):
            piece = decisions[start : start + step]
            if any(piece):
                yield schedule._replace(decisions=decisions[:start] + bytes(len(piece)) + decisions[start + step :])
        step //= 4
