"""One run, many runs, and what is said of them."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from itertools import chain
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.simulation.clock import simulated
from tests.simulation.exhaustive import small, with_each_fault
from tests.simulation.loop import Cells
from tests.simulation.mutants import mutated
from tests.simulation.schedule import Schedule, expand
from tests.simulation.shrink import shrink
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SEEDS_PER_TASK = 50
NOTES_SHOWN_MAX = 60
_CELLS = Cells()


class Outcome(NamedTuple):
    """What came of a run: what is wrong, which faults struck, what happened when, how often each slot did what."""

    violations: list[str]
    hits: Counter[str]
    steps: int
    notes: list[str]
    effects: dict[tuple[int, str], int]


class Found(NamedTuple):
    """What came of many runs: the schedules that failed, how many ran, the faults that struck, the steps taken."""

    failed: list[Schedule]
    runs: int
    hits: Counter[str]
    steps: int


def simulate(schedule: Schedule, mutant: str = "") -> Outcome:
    """Run a schedule, on the engine as it is or on one of its mutants."""
    world = World(schedule, _CELLS)
    with mutated(mutant) if mutant else nullcontext(), simulated(world):
        violations = world.run()
    return Outcome(violations, Counter(map(str, world.storm.hits)), world.steps, world.notes, world.storm.effects)


def shrunk(schedule: Schedule, mutant: str = "") -> Schedule:
    """Give a small schedule that fails as well."""
    return shrink(schedule, lambda smaller: bool(simulate(smaller, mutant).violations))


def report(schedule: Schedule, mutant: str = "") -> str:
    """Say what is wrong with a schedule's run, and what led to it."""
    outcome = simulate(schedule, mutant)
    wrong = [f"  wrong: {text}" for text in outcome.violations]
    return "\n".join([str(schedule), *(f"  {note}" for note in outcome.notes[-NOTES_SHOWN_MAX:]), *wrong])


def simulate_all(schedules: Iterable[Schedule], mutant: str = "") -> Found:
    """Run schedules, one after the other."""
    failed, runs, hits, steps = [], 0, Counter[str](), 0
    for schedule in schedules:
        outcome = simulate(schedule, mutant)
        hits += outcome.hits
        steps += outcome.steps
        runs += 1
        if outcome.violations:
            failed.append(schedule)
    return Found(failed, runs, hits, steps)


def run_seeds(first: int, seeds: int, processes: int, mutant: str = "") -> Found:
    """Run seeds, in so many processes."""
    last = first + seeds
    starts = range(first, last, SEEDS_PER_TASK)
    return _spread(_run_some, [(start, min(SEEDS_PER_TASK, last - start), mutant) for start in starts], processes)


def run_single_faults(variant: int) -> Found:
    """Run the small deployment with every fault that can strike in it."""
    schedule = small(variant)
    return simulate_all(with_each_fault(schedule, simulate(schedule).effects))


def run_pairs(variant: int, processes: int) -> Found:
    """Run the small deployment with every pair of faults, the second one anywhere in the first one's run."""
    schedule = small(variant)
    firsts = range(len(with_each_fault(schedule, simulate(schedule).effects)))
    return _spread(_run_pairs_of, [(variant, place) for place in firsts], processes)


def _run_some(first: int, seeds: int, mutant: str) -> Found:
    return simulate_all(map(expand, range(first, first + seeds)), mutant)


def _run_pairs_of(variant: int, place: int) -> Found:
    schedule = small(variant)
    struck = with_each_fault(schedule, simulate(schedule).effects)[place]
    return simulate_all(with_each_fault(struck, simulate(struck).effects))


def _spread(task: Callable[..., Found], arguments: list[tuple[Any, ...]], processes: int) -> Found:
    """Run a task with each of these arguments, and add up what they found."""
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        parts = list(pool.map(task, *zip(*arguments, strict=True)))
    return Found(
        list(chain.from_iterable(part.failed for part in parts)),
        sum(part.runs for part in parts),
        sum((part.hits for part in parts), Counter()),
        sum(part.steps for part in parts),
    )
