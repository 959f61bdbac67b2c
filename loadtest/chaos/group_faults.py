"""Faults of the whole group: another worker joins and leaves again and again; all are restarted with other settings.

While they are restarted a review rule is switched, so that workers of both sorts get the new version.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from loadtest.chaos.fault import Kind, Proof
from loadtest.chaos.worker_faults import WORKERS
from loadtest.promotion.rules import switch_rule
from pipeline.services.process import wait_until
from pipeline.settings import VARIABLES

if TYPE_CHECKING:
    from random import Random

    from loadtest.chaos.child import Child
    from loadtest.chaos.fault import Params
    from loadtest.chaos.rig import Rig

GROUP = "group"
JOIN_SECONDS = 25.0
LEAVE_SECONDS = 15.0
ROLL_SECONDS = 120.0


class RebalanceStorm:
    """A further worker joins and leaves, by SIGTERM and by SIGKILL in turn: each time partitions change hands."""

    target = GROUP

    def __init__(self, rig: Rig, params: Params) -> None:
        self._rig = rig
        self._rounds = int(params["rounds"])
        self._child: Child | None = None
        self._joined = 0
        self._before: dict[str, tuple[int, int]] = {}

    def inject(self) -> None:
        """Have it join and leave."""
        self._before = self._assignments()
        child = self._child = self._rig.add_worker(WORKERS, self._rig.shape.by_slot.get(WORKERS - 1, {}))
        child.held = True
        for turn in range(self._rounds):
            child.start()
            self._joined += wait_until(lambda: self._rig.works(child), JOIN_SECONDS)
            child.send(signal.SIGKILL if turn % 2 else signal.SIGTERM)
            if not child.wait(LEAVE_SECONDS):
                child.kill()
                child.wait(LEAVE_SECONDS)

    def _assignments(self) -> dict[str, tuple[int, int]]:
        """Give each worker's process, and how many assignments it has had."""
        readings = {child.name: self._rig.read(child) for child in self._rig.workers if child is not self._child}
        return {name: (one.pid, one.rebalances) for name, one in readings.items() if one is not None}

    def heal(self) -> None:
        """End it."""
        if self._child is not None:
            self._child.kill()
            self._child.wait(LEAVE_SECONDS)

    def proof(self) -> Proof:
        """Say whether it joined, and the others got other assignments for it."""
        moved = sum(
            after - self._before[name][1] if pid == self._before[name][0] else after
            for name, (pid, after) in self._assignments().items()
            if name in self._before
        )
        evidence = f"joined {self._joined} times of {self._rounds}; the others had {moved} further assignments"
        return Proof(self._joined > 0 and moved > 0, evidence, {"joined": self._joined, "assignments": moved})


class RollingRestart:
    """Each worker in turn is drained with SIGTERM and started with other settings: for a while both are at work.

    Then a review rule is switched off, or on again: its version must be in effect with all of them.
    """

    target = GROUP

    def __init__(self, rig: Rig, params: Params) -> None:
        self._rig = rig
        self._settings = {
            VARIABLES["batch_records_max"]: str(params["batch_records_max"]),
            VARIABLES["commit_interval_seconds"]: str(params["commit_interval_seconds"]),
        }
        self._clean = self._back = self._version = 0

    def inject(self) -> None:
        """Restart one after the other, each while no other fault has it; after the first one, switch a rule."""
        done: set[str] = set()
        deadline = time.monotonic() + ROLL_SECONDS
        while len(done) < self._rig.shape.workers and time.monotonic() < deadline:
            slot = next(place for place in range(self._rig.shape.workers) if f"worker-{place}" not in done)
            with self._rig.taken(slot) as child:
                if child.name not in done:
                    done.add(child.name)
                    self._restart(child)
            self._version = self._version or switch_rule(self._rig.place.settings)

    def _restart(self, child: Child) -> None:
        child.held = True
        try:
            child.changed = dict(self._settings)
            self._clean += child.stop(LEAVE_SECONDS)
            child.start()
        finally:
            child.held = False
        self._back += wait_until(lambda: self._rig.works(child), JOIN_SECONDS)

    def heal(self) -> None:
        """Leave the new settings."""

    def proof(self) -> Proof:
        """Say whether all were restarted, and at least one of them drained well."""
        workers = self._rig.shape.workers
        evidence = (
            f"{self._clean} of {workers} drained with status 0, {self._back} took partitions with {self._settings}; "
            f"rules of version {self._version} were made meanwhile"
        )
        counts: dict[str, int | float] = {"restarted": self._back, "rules_version": self._version}
        return Proof(self._back == workers and self._clean > 0 and self._version > 0, evidence, counts)


def _draw_storm(chance: Random) -> Params:
    return {"rounds": chance.randint(2, 4)}


def _draw_roll(chance: Random) -> Params:
    interval = round(chance.uniform(0.05, 0.5), 3)
    return {"batch_records_max": chance.choice((10, 100, 1000)), "commit_interval_seconds": interval}


KINDS = (
    Kind("rebalance-storm", RebalanceStorm, _draw_storm, GROUP, 1, needs_broker=True),
    Kind("rolling-restart", RollingRestart, _draw_roll, GROUP, 1, needs_broker=True),
)
