"""The end of a promotion: once all is at rest, the clock says its last time again, for whoever came behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.desk import clock
from pipeline.desk.sending import Sender

if TYPE_CHECKING:
    from pipeline.settings import Settings

TICKS = 5
"""A Tick warns of an unpaid order, the next one cancels it; and each has so many answers at most."""


def close_promotion(settings: Settings, at: int) -> None:
    """Say TICKS times that it is `at` (ms UTC). Orders that waited behind a busy stage missed the clock's own ticks."""
    with Sender(settings) as sender:
        for _ in range(TICKS):
            clock.tick(sender, at)
