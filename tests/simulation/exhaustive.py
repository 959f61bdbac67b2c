"""Every single fault, and every pair: a small deployment, struck at each effect of each worker in every way there is.

Two workers, one SKU of which there is one unit, two orders that both want it. The run without faults tells how often
each worker does what; then there is a run for each of these moments and each fault that can strike there, and for pairs
one for each moment of that run after the first fault.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from pipeline import topics
from pipeline.domain.commands import ReceiveStock, RegisterWarehouse
from pipeline.domain.orders import SkuUnits
from tests.simulation.faults import AT_EFFECTS, LOSABLE, REPEATED, Act, Fault
from tests.simulation.inputs import Input, order_messages
from tests.simulation.schedule import DECISIONS, PLAIN_HABITS, Schedule, Sizes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHOP = "s1"


def small(variant: int) -> Schedule:
    """Give the small deployment, without faults: variant 0 with no decision but 0, the others with drawn ones."""
    feeds = (
        RegisterWarehouse(at=1, pool=SHOP, feed_id="w1", warehouse="w1", latitude=30.0, longitude=120.0),
        ReceiveStock(at=1, pool=SHOP, feed_id="w1-1", warehouse="w1", units=(SkuUnits("X", 1),)),
    )
    inputs = [Input(topics.STOCK_COMMANDS.name, SHOP.encode(), msgspec.json.encode(feed)) for feed in feeds]
    for name in ("o1", "o4"):  # in two partitions
        inputs += order_messages(SHOP, name, {"X": 1}, "paid")
    chance = random.Random(variant)  # noqa: S311  a choice to repeat, not a secret
    decisions = chance.randbytes(DECISIONS) if variant else b""
    habits = PLAIN_HABITS._replace(sends_early=bool(variant % 2), restless=True, marker_ms=30 * variant, restart_ms=900)
    return Schedule(variant, Sizes(2, 2, 2, 1), habits, tuple(inputs), (), decisions)


def single_faults(effects: Mapping[tuple[int, str], int]) -> Iterator[Fault]:
    """Give each fault that can strike at one of so many effects of a slot."""
    for (slot, effect), times in sorted(effects.items()):
        acts = (Act.REPEAT_LATE,) if effect in REPEATED else AT_EFFECTS
        for act in acts:
            if act in {Act.LOSE_REQUEST, Act.LOSE_ANSWER} and effect not in LOSABLE:
                continue
            for number in range(1, times + 1):
                yield Fault(act, slot, number, effect)


def with_each_fault(schedule: Schedule, effects: Mapping[tuple[int, str], int]) -> list[Schedule]:
    """Give a schedule with each further fault that can strike in it."""
    struck = set(schedule.faults)
    found = [fault for fault in single_faults(effects) if fault not in struck]
    return [schedule._replace(faults=(*schedule.faults, fault)) for fault in found]
