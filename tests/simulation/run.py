"""Runs of the simulator: `python -m tests.simulation.run --seeds 100000 --from 0`.

A seed that fails is shrunk; the schedule is printed, and written to a file that `--replay` takes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.simulation.clock import simulated
from tests.simulation.loop import Cells
from tests.simulation.mutants import MADE_UP_FOR, MUTANTS, mutated
from tests.simulation.schedule import Schedule, expand
from tests.simulation.shrink import shrink
from tests.simulation.world import World

SEEDS_PER_TASK = 50
MUTANT_SEEDS = 200
NOTES_SHOWN_MAX = 60
_CELLS = Cells()


class Outcome(NamedTuple):
    """What came of a run: what is wrong, which faults struck, what happened when."""

    violations: list[str]
    hits: Counter[str]
    steps: int
    notes: list[str]


def simulate(schedule: Schedule, mutant: str = "") -> Outcome:
    """Run a schedule, on the engine as it is or on one of its mutants."""
    world = World(schedule, _CELLS)
    with mutated(mutant) if mutant else nullcontext(), simulated(world):
        violations = world.run()
    return Outcome(violations, Counter(map(str, world.storm.hits)), world.steps, world.notes)


def shrunk(schedule: Schedule, mutant: str = "") -> Schedule:
    """Give a small schedule that fails as well."""
    return shrink(schedule, lambda smaller: bool(simulate(smaller, mutant).violations))


class Found(NamedTuple):
    """What came of many seeds: those that failed, the faults that struck, the steps taken."""

    failed: list[int]
    hits: Counter[str]
    steps: int


def _task(first: int, seeds: int, mutant: str) -> Found:
    failed, hits, steps = [], Counter[str](), 0
    for seed in range(first, first + seeds):
        outcome = simulate(expand(seed), mutant)
        hits += outcome.hits
        steps += outcome.steps
        if outcome.violations:
            failed.append(seed)
    return Found(failed, hits, steps)


def run_seeds(first: int, seeds: int, processes: int, mutant: str = "") -> Found:
    """Run seeds, in so many processes."""
    last = first + seeds
    tasks = [(start, min(SEEDS_PER_TASK, last - start), mutant) for start in range(first, last, SEEDS_PER_TASK)]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        parts = list(pool.map(_task, *zip(*tasks, strict=True)))
    return Found(
        [seed for part in parts for seed in part.failed],
        sum((part.hits for part in parts), Counter()),
        sum(part.steps for part in parts),
    )


def report(schedule: Schedule, mutant: str = "") -> str:
    """Say what is wrong with a schedule's run, and what led to it."""
    outcome = simulate(schedule, mutant)
    wrong = [f"  wrong: {text}" for text in outcome.violations]
    return "\n".join([str(schedule), *(f"  {note}" for note in outcome.notes[-NOTES_SHOWN_MAX:]), *wrong])


def main() -> int:
    """Run. Gives 1 when a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.run", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many (%(default)s)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed (%(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="at once (%(default)s)")
    parser.add_argument("--mutant", default="", choices=["", *MUTANTS], help="break the engine in one place")
    parser.add_argument("--mutants", action="store_true", help="say how many seeds catch each mutant")
    parser.add_argument("--replay", type=Path, help="a schedule from a file, instead of seeds")
    parser.add_argument(
        "--write", type=Path, default=Path(), help="where schedules that fail are written (%(default)s)"
    )
    options = parser.parse_args()
    if options.replay:
        print(report(msgspec.json.decode(options.replay.read_bytes(), type=Schedule), options.mutant))
        return 0
    if options.mutants:
        for name in MUTANTS:
            failed = run_seeds(options.first, MUTANT_SEEDS, options.processes, name).failed
            print(f"{name:40} caught by {len(failed):3} of {MUTANT_SEEDS} seeds  {MADE_UP_FOR.get(name, '')}")
        return 0
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    started = time.monotonic()
    failed, hits, steps = run_seeds(options.first, options.seeds, options.processes, options.mutant)
    print(f"{options.seeds} seeds, {steps} steps, {sum(hits.values())} faults in {time.monotonic() - started:.0f} s")
    print(", ".join(f"{name} {count}" for name, count in hits.most_common()))
    print(f"{len(failed)} failed: {failed[:20]}")
    for seed in failed[:1]:
        schedule = shrunk(expand(seed), options.mutant)
        path = options.write / f"simulation-{seed}.json"
        path.write_bytes(msgspec.json.encode(schedule))
        print(f"{report(schedule, options.mutant)}\nwritten to {path}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
