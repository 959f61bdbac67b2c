"""Faults beside the workers: sink or ClickHouse killed, Redis emptied, a carrier that fails or does not answer."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import redis

from loadtest.carrier import control
from loadtest.chaos.fault import HOLD, Kind, Proof, no_params
from loadtest.counts import read_counts
from pipeline.errors import TransientError
from pipeline.services import bring_up, processes
from pipeline.services.process import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from loadtest.chaos.fault import Params
    from loadtest.chaos.rig import Rig
    from pipeline.services.process import Running

SINK, CLICKHOUSE, REDIS, CARRIER = "sink", "clickhouse", "redis", "carrier"
SHARE = "share"
STOPPED_SECONDS = 5.0
ROUNDS_MAX = 2
AT_WORK_SECONDS = 15.0
"""How long the sink may take to join its group, find where it stood, and store something."""
KEYS_SECONDS = 15.0
"""How long an empty Redis may take to be filled again."""
LATER_SECONDS_MAX = 0.6
CALLS_MIN, CALLS_SECONDS = 3, 25.0
"""A carrier misbehaves until so many calls have met it, or for so long, and then for a while more."""


class SinkKill:
    """SIGKILL of the sink while it stores; its successor finds out from ClickHouse and Redis where to go on."""

    target = SINK

    def __init__(self, rig: Rig, params: Params) -> None:
        self._rig = rig
        self._rounds = int(params["rounds"])
        self._later = float(params["later_seconds"])
        self._pids: list[int] = []
        self._at_work = 0

    def inject(self) -> None:
        """Kill it, and each successor in its turn, a moment after it has stored something."""
        child = self._rig.children[SINK]
        for _ in range(self._rounds):
            last = self._pids[-1] if self._pids else 0
            if not wait_until(lambda: child.running and child.pid != last, STOPPED_SECONDS):  # noqa: B023  called at once
                return
            before = self._stored()
            self._at_work += wait_until(lambda: self._stored() > before, AT_WORK_SECONDS)  # noqa: B023
            time.sleep(self._later)
            self._pids.append(child.kill())
            child.wait(STOPPED_SECONDS)

    def _stored(self) -> int:
        """Count the rows; 0 while ClickHouse does not answer."""
        with suppress(TransientError):
            return read_counts(self._rig.place.settings.clickhouse).events
        return 0

    def heal(self) -> None:
        """Do nothing: the rig starts it again."""

    def proof(self) -> Proof:
        """Say whether it died each time, at work at least once, and another one runs."""
        child = self._rig.children[SINK]
        ends = [child.exit_of(pid) for pid in self._pids]
        killed = sum(end is not None and end.status == -signal.SIGKILL for end in ends)
        back = child.running and child.pid not in self._pids
        evidence = (
            f"pids {self._pids} died of SIGKILL: {killed}, of these {self._at_work} at work; another one runs: {back}"
        )
        return Proof(killed > 0 and self._at_work > 0 and back, evidence, {"kills": killed})


class ClickHouseKill:
    """SIGKILL of ClickHouse; it starts again on its data."""

    target = CLICKHOUSE

    def __init__(self, rig: Rig, _: Params) -> None:
        self._rig = rig
        self._before: Running | None = None
        self._after: Running | None = None

    def inject(self) -> None:
        """Kill it."""
        self._before = processes(self._rig.place.run_dir)[CLICKHOUSE]
        os.kill(self._before.pid, signal.SIGKILL)

    def heal(self) -> None:
        """Start it again, under its old address."""
        self._after = bring_up(self._rig.place.run_dir, (CLICKHOUSE,))[CLICKHOUSE]

    def proof(self) -> Proof:
        """Say whether another server is there now, under the same address."""
        before, after = self._before, self._after
        if before is None or after is None:
            return Proof(hit=False, evidence=f"{CLICKHOUSE} was not killed and started again")
        hit = before.pid != after.pid and before.address == after.address
        return Proof(hit, f"pid {before.pid} killed, {after.pid} in its place at {after.address}")


class RedisFlush:
    """Redis is emptied: the projection is made again."""

    target = REDIS

    def __init__(self, rig: Rig, _: Params) -> None:
        self._rig = rig
        self._had = 0

    def inject(self) -> None:
        """Wait until there is something in it, count its keys, and empty it."""
        client = redis.Redis.from_url(self._rig.place.settings.redis)
        wait_until(lambda: int(client.dbsize()) > 0, KEYS_SECONDS)
        self._had = int(client.dbsize())
        client.flushall()
        client.close()

    def heal(self) -> None:
        """Do nothing: what was in it is gone."""

    def proof(self) -> Proof:
        """Say whether there was anything to lose."""
        return Proof(self._had > 0, f"{self._had} keys were lost")


class CarrierFault:
    """The carrier fails, or acts and does not answer, for a share of the calls."""

    target = CARRIER

    def __init__(self, rig: Rig, params: Params, setting: str, counted: tuple[str, ...]) -> None:
        self._rig = rig
        self._share = float(params[SHARE])
        self._setting = setting
        self._counted = counted
        self._before = 0

    def inject(self) -> None:
        """Tell the sandbox so, and wait until calls have met it: there are none while the workers start."""
        self._before = self._count(self._control({self._setting: self._share}))
        wait_until(lambda: self._count(self._control({})) - self._before >= CALLS_MIN, CALLS_SECONDS)

    def heal(self) -> None:
        """Tell it to behave."""
        self._control({self._setting: 0.0})

    def proof(self) -> Proof:
        """Say whether calls met it, by the sandbox's own count."""
        met = self._count(self._control({})) - self._before
        return Proof(met > 0, f"{self._setting} {self._share:g}: {met} calls met it", {"calls": met})

    def _count(self, counters: dict[str, int]) -> int:
        return sum(counters.get(name, 0) for name in self._counted)

    def _control(self, change: dict[str, float]) -> dict[str, int]:
        return control(self._rig.sandbox_url, change)


def _draw_rounds(chance: Random) -> Params:
    return {"rounds": chance.randint(1, ROUNDS_MAX), "later_seconds": round(chance.uniform(0, LATER_SECONDS_MAX), 2)}


def _draw_share(chance: Random) -> Params:
    return {SHARE: round(chance.uniform(0.3, 0.8), 2), HOLD: round(chance.uniform(3.0, 6.0), 2)}


def _draw_outage(chance: Random) -> Params:
    return {HOLD: round(chance.uniform(0.2, 3.0), 2)}


def _carrier(setting: str, *counted: str) -> Callable[[Rig, Params], CarrierFault]:
    return partial(CarrierFault, setting=setting, counted=counted)


KINDS = (
    Kind("sink-kill", SinkKill, _draw_rounds, SINK, 8),
    Kind("clickhouse-kill", ClickHouseKill, _draw_outage, CLICKHOUSE, 22, proof_seconds=0.0),
    Kind("redis-flush", RedisFlush, no_params, REDIS, 5, proof_seconds=0.0),
    Kind("carrier-lost", _carrier("lost_share", "fault lost"), _draw_share, CARRIER, 9),
    Kind("carrier-slow", _carrier("slow_share", "fault slow"), _draw_share, CARRIER, 2),
    Kind("carrier-errors", _carrier("error_share", "fault broken", "fault discarded"), _draw_share, CARRIER, 4),
)
