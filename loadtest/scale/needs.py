"""The arithmetic: from CPU microseconds per order to processes and machines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from loadtest.costs.box import Box
    from loadtest.costs.floor import Floor
    from loadtest.costs.main import Costs

MICROSECONDS = 1_000_000
POOL_STAGES = frozenset({"dedup", "reservation", "routing"})
"""The stages whose input is keyed by stock pool: a merchant's orders meet in one partition. Others spread evenly."""


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What one part needs, and how that was reckoned."""

    part: str
    cores: float
    processes: int
    how: str


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What a rate needs of everything. `pool_share` of a worker's work is keyed by stock pool."""

    orders_per_second: float
    utilisation: float
    needs: list[Need]
    log_megabytes_per_second: float
    """Written into the log, each replica counted, before compression."""
    pool_share: float
    pool_microseconds: float
    """What one order takes of the one partition, and so of the one thread, that has its pool."""

    @property
    def workers(self) -> int:
        """Give the number of worker processes."""
        return next(need.processes for need in self.needs if need.part == "workers")


def reckon(costs: Costs, orders_per_second: float, utilisation: float, replication: int) -> Needs:
    """Reckon. Raises SettingsError for costs without the box or the floor."""
    if costs.box is None or costs.floor is None:
        message = "--costs: has no box and no floor: make it with `python -m loadtest costs --json FILE`"
        raise SettingsError(message)
    box, floor = costs.box, costs.floor
    per_core = MICROSECONDS * utilisation
    written = sum(stage.outputs + stage.changes for stage in costs.stages)
    replicas = (replication - 1) * written * (floor.read.broker + floor.write.broker)
    broker = box.cpu_microseconds.get("kafka", 0.0) + replicas
    main = _main_thread(box)
    parts = {
        "workers": (box.worker_microseconds, main, f"{main:.0f} µs of one thread an order, a process is one thread"),
        "brokers": (broker, broker, f"{broker:.0f} µs, of it {replicas:.0f} for {replication - 1} further replicas"),
        "sink": _plain(box, "sink"),
        "ClickHouse": _plain(box, "clickhouse"),
        "Redis": _plain(box, "redis"),
        "gateway": _plain(box, "gateway"),
    }
    needs = [
        Need(
            part=part,
            cores=orders_per_second * whole / per_core,
            processes=max(1, math.ceil(orders_per_second * bound / per_core)),
            how=how,
        )
        for part, (whole, bound, how) in parts.items()
    ]
    return Needs(
        orders_per_second=orders_per_second,
        utilisation=utilisation,
        needs=needs,
        log_megabytes_per_second=orders_per_second
        * sum(stage.output_bytes for stage in costs.stages)
        * replication
        / 1e6,
        pool_share=min(1.0, _pool_microseconds(costs, floor) / main),
        pool_microseconds=_pool_microseconds(costs, floor),
    )


def _plain(box: Box, name: str) -> tuple[float, float, str]:
    used = box.cpu_microseconds.get(name, 0.0)
    return used, used, f"{used:.0f} µs an order; cores, however many processes share them"


def _main_thread(box: Box) -> float:
    """Give what the event loops of all workers take of an order: a process has one, and no second core helps it."""
    return sum(kinds.get("main", 0.0) for name, kinds in box.thread_microseconds.items() if name.startswith("worker-"))


def _pool_microseconds(costs: Costs, floor: Floor) -> float:
    """Give what the stages that are keyed by pool take: their own code, and handing over what they write."""
    return sum(
        stage.pieces.whole + (stage.outputs + stage.changes) * floor.write.process
        for stage in costs.stages
        if stage.stage in POOL_STAGES
    )
