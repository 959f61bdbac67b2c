"""All kinds of faults, from the modules that have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.chaos import failpoint_faults, side_faults, worker_faults

if TYPE_CHECKING:
    from loadtest.chaos.fault import Kind

KINDS: tuple[Kind, ...] = (*worker_faults.KINDS, *failpoint_faults.KINDS, *side_faults.KINDS)
