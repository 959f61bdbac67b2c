"""The engine's modules in a world: its clients instead of confluent_kafka, its time instead of the machine's."""

from __future__ import annotations

import logging
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from pipeline.engine import clients, deciding, engine, restore, transaction
from tests.simulation.clients import Clients

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.world import World


class Clock:
    """Stands where the engine's modules have `time`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def monotonic(self) -> float:
        """Give the world's time in seconds."""
        return self._world.now_ms / 1000

    time = perf_counter = monotonic

    def sleep(self, seconds: float) -> None:
        """Wait, on the thread that blocks."""
        self._world.current.wait(round(seconds * 1000))


@contextmanager
def simulated(world: World) -> Iterator[None]:
    """Let the engine's modules use this world's clients and clock, and say nothing."""
    clock, log = Clock(world), logging.getLogger("pipeline")
    with ExitStack() as stack:
        stack.enter_context(patch.object(log, "disabled", new=True))
        stack.enter_context(patch.object(clients, "confluent_kafka", Clients(world)))
        for module in (engine, deciding, restore, transaction):
            stack.enter_context(patch.object(module, "time", clock))
            if hasattr(module, "log"):
                stack.enter_context(patch.object(module.log, "disabled", new=True))
        yield
