"""What a fault is: planned by a pure schedule, done to a running rig, healed, and proved to have hit.

A module of faults gives `KINDS`, a tuple of `Kind`; `loadtest/chaos/kinds.py` joins them. For each planned fault the
runner makes one `Fault` and, on a thread of that fault's own, calls

    inject()  does it, and returns when it is done; it may block for as long as it takes
    heal()    after `hold_seconds` of its parameters (0 where there are none): takes it back
    proof()   again and again until it says that the fault hit, or the kind's `proof_seconds` are over

An error of the world in one of them (HoldfastError, OSError, KafkaException, subprocess errors) makes the fault one
that did not hit, with the error as its evidence; `heal()` is called all the same. A fault that did not hit is tried
again, as a new `Fault` from the same parameters. Faults of different resources run at the same time, and every method
may be called while others do so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from loadtest.chaos.rig import Rig

HOLD = "hold_seconds"
"""The parameter that says how long a fault lasts between `inject` and `heal`."""
PROOF_SECONDS = 30.0

Value = int | float | str
Params = dict[str, Value]
"""The parameters of a planned fault, as the schedule drew them and the ledger keeps them."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A fault of the schedule. `at_seconds` from the start of the load: the earliest moment at which it begins."""

    number: int
    kind: str
    at_seconds: float
    params: Params


class Proof(NamedTuple):
    """What was measured of a fault: whether it hit, in words, and in numbers."""

    hit: bool
    evidence: str
    counts: dict[str, int | float] = {}  # noqa: RUF012 - never changed


class Fault(Protocol):
    """A fault that is being done."""

    target: str
    """Who it is done to, once `inject` has begun: `worker-1`, `kafka`."""

    def inject(self) -> None:
        """Do it."""

    def heal(self) -> None:
        """Take it back."""

    def proof(self) -> Proof:
        """Say whether it has hit by now, and what shows it."""


class Kind(NamedTuple):
    """A kind of fault: how its parameters are drawn, how one is made, and what it must not overlap with."""

    name: str
    """Stable: it is what the ledger and the report count by."""
    make: Callable[[Rig, Params], Fault]
    draw: Callable[[Random], Params]
    """Draw the parameters; pure."""
    resource: str
    """Faults of one resource follow one another: `kafka`, `clickhouse`, `redis`, `carrier`, `load`, `network`, …; of
    `worker`, two may run at once on two workers."""
    weight: float
    """How often it comes up, against the others."""
    needs_broker: bool = False
    """Whether it begins only while no fault of `kafka` or `network` is on: its proof needs the group to work."""
    proof_seconds: float = PROOF_SECONDS


def no_params(_: Random) -> Params:
    """Draw nothing."""
    return {}
