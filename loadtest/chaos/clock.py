"""A jump of one worker's wall clock, by minutes or a day, ahead or back; the broker's clock stays right."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from loadtest.chaos.fault import HOLD, Kind, Proof
from pipeline.errors import SetupError
from pipeline.services.process import wait_until

if TYPE_CHECKING:
    from random import Random

    from loadtest.chaos.fault import Params
    from loadtest.chaos.rig import Rig

RESOURCE = "clock"
MINUTE, DAY = 60, 24 * 3600
SEEN_SECONDS = 15.0
READ_SECONDS = 2.0
TOLERANCE_SECONDS = 5.0
"""An HTTP date has whole seconds."""


def seen_offset_seconds(metrics: str) -> float | None:
    """Read how far a worker's wall clock is off, from the date in the head of its metrics page; None: no answer."""
    try:
        with urllib.request.urlopen(metrics, timeout=READ_SECONDS) as response:  # noqa: S310 - a worker's own address
            date = response.headers["Date"]
    except (OSError, urllib.error.URLError):
        return None
    return parsedate_to_datetime(date).timestamp() - time.time() if date else None


class ClockJump:
    """The wall clock of a worker jumps, and later back."""

    def __init__(self, rig: Rig, params: Params) -> None:
        self._rig = rig
        self._offset_seconds = int(params["offset_seconds"])
        ground = rig.ground
        if ground is None or ground.clock is None:
            message = "no worker runs under a clock that can be set"
            raise SetupError(message)
        self._clock = ground.clock
        self._child = rig.workers[ground.clock_slot]
        self.target = self._child.name
        self._seen: float | None = None

    def inject(self) -> None:
        """Set the clock, and wait until the worker tells the wrong date."""
        self._clock.set(self._offset_seconds)
        wait_until(self._is_seen, SEEN_SECONDS)

    def _is_seen(self) -> bool:
        place = self._rig.announced(self._child)
        offset = seen_offset_seconds(place.metrics) if place else None
        if offset is not None and abs(offset - self._offset_seconds) < TOLERANCE_SECONDS:
            self._seen = offset
        return self._seen is not None

    def heal(self) -> None:
        """Set it right."""
        self._clock.set(0)

    def proof(self) -> Proof:
        """Say what date the worker told."""
        told = "never seen" if self._seen is None else f"seen in its HTTP dates, {self._seen:+.0f} s off"
        evidence = f"{self.target}'s wall clock set {self._offset_seconds:+d} s: {told}"
        return Proof(self._seen is not None, evidence, {"offset_seconds": self._offset_seconds})


def _draw(chance: Random) -> Params:
    offset = chance.choice((5 * MINUTE, DAY)) * chance.choice((1, -1))
    return {"offset_seconds": offset, HOLD: round(chance.uniform(1.0, 5.0), 2)}


KINDS = (Kind("clock-jump", ClockJump, _draw, RESOURCE, 5, proof_seconds=0.0),)
