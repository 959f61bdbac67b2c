"""All kinds of faults, from the modules that have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.chaos import (
    clock,
    cpu,
    disk,
    failpoint_faults,
    group_faults,
    load_faults,
    network,
    offset_faults,
    service_faults,
    side_faults,
    worker_faults,
)

if TYPE_CHECKING:
    from loadtest.chaos.fault import Kind

KINDS: tuple[Kind, ...] = (
    *worker_faults.KINDS,
    *failpoint_faults.KINDS,
    *group_faults.KINDS,
    *offset_faults.KINDS,
    *service_faults.KINDS,
    *side_faults.KINDS,
    *load_faults.KINDS,
    *network.KINDS,
    *disk.KINDS,
    *clock.KINDS,
    *cpu.KINDS,
)
