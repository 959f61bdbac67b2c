"""A schedule: everything that a run depends on, as one value that a seed expands to and that shrinking cuts down.

Every seed draws its own sizes and its own subset of what may go wrong (swarm testing), so that rare combinations come
up: https://www.cs.utah.edu/~regehr/papers/swarm12.pdf.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from tests.simulation.faults import AT_EFFECTS, BETWEEN_STEPS, EFFECTS, LOSABLE, REPEATED, Act, Fault
from tests.simulation.inputs import Input, draw_inputs

FAULTS_MAX = 8
STORM_STEPS = 1500
"""Faults between steps strike before this step."""
HITS_MAX = 14
DECISIONS = 6000
DECISIONS_SHOWN_MAX = 60


class Sizes(NamedTuple):
    """How large the deployment is."""

    workers: int
    partitions: int
    batch_records_max: int
    page_entries: int


class Habits(NamedTuple):
    """How broker, network and carrier behave in a run."""

    marker_ms: int
    """A transaction's marker takes up to so long after the decision."""
    latency_ms: int
    restart_ms: int
    sends_early: bool
    clears_queues: bool
    restless: bool
    carrier_trouble: int
    """Of 16 calls so many are lost, or their answers are."""
    feed_ms: int


PLAIN_HABITS = Habits(1, 1, 10, sends_early=False, clears_queues=True, restless=False, carrier_trouble=0, feed_ms=1)


class Schedule(NamedTuple):
    """A run. `decisions` are taken one after the other wherever there is a choice; after the last one all are 0."""

    seed: int
    sizes: Sizes
    habits: Habits
    inputs: tuple[Input, ...]
    faults: tuple[Fault, ...]
    decisions: bytes

    def __str__(self) -> str:
        """Give it in words, for a person who looks for the cause."""
        lines = [f"seed {self.seed}", f"  {self.sizes}", f"  {self.habits}"]
        lines += [f"  input {record}" for record in self.inputs]
        lines += [f"  fault {fault.act} of slot {fault.slot}: {_when(fault)}" for fault in self.faults]
        made = {place: value for place, value in enumerate(self.decisions) if value}
        told = ", ".join(f"{place}: {value}" for place, value in made.items())
        lines.append("  decisions " + (f"{len(made)} of them" if len(made) > DECISIONS_SHOWN_MAX else told or "all 0"))
        return "\n".join(lines)


def _when(fault: Fault) -> str:
    return f"its {fault.effect} number {fault.at}" if fault.effect else f"step {fault.at}"


def expand(seed: int) -> Schedule:
    """Give the schedule of a seed."""
    chance = random.Random(seed)  # noqa: S311  a choice to repeat, not a secret
    sizes = Sizes(
        chance.choice((1, 2, 2, 2, 3)), chance.choice((1, 1, 2)), chance.choice((1, 2, 8)), chance.choice((1, 2, 2048))
    )
    habits = Habits(
        marker_ms=chance.choice((1, 30, 30, 3000)),
        latency_ms=chance.choice((1, 4, 60)),
        restart_ms=chance.choice((10, 500, 8000)),
        sends_early=chance.random() < 0.5,
        clears_queues=chance.random() < 0.5,
        restless=chance.random() < 0.7,
        carrier_trouble=chance.choice((0, 0, 4, 8)),
        feed_ms=chance.choice((1, 50, 400)),
    )
    inputs = draw_inputs(chance)
    return Schedule(seed, sizes, habits, inputs, _draw_faults(chance, sizes.workers), chance.randbytes(DECISIONS))


def _draw_faults(chance: random.Random, workers: int) -> tuple[Fault, ...]:
    kinds = chance.sample((*AT_EFFECTS, *BETWEEN_STEPS, Act.REPEAT_LATE), chance.randint(1, 5))
    faults = []
    for _ in range(chance.randint(1, FAULTS_MAX)):
        act, slot = chance.choice(kinds), chance.randrange(workers)
        if act in AT_EFFECTS:
            effects = LOSABLE if act in {Act.LOSE_REQUEST, Act.LOSE_ANSWER} else EFFECTS
            faults.append(Fault(act, slot, chance.randint(1, HITS_MAX), chance.choice(effects)))
        elif act is Act.REPEAT_LATE:
            faults.append(Fault(act, slot, chance.randint(1, HITS_MAX), chance.choice(REPEATED)))
        else:
            faults.append(Fault(act, slot, chance.randrange(STORM_STEPS)))
    return tuple(faults)
