"""The end of a promotion: once all is at rest, the clock goes on, for whoever came behind its last tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.desk import clock
from pipeline.desk.sending import Sender
from pipeline.domain.order_policy import DEFAULT

if TYPE_CHECKING:
    from pipeline.settings import Settings

TICKS = 5
"""A Tick warns of an unpaid order, the next one cancels it; and each has so many answers at most."""
STEP_MS = DEFAULT.unpaid_warn_ms + DEFAULT.unpaid_cancel_ms
"""An order that waited behind a busy stage came when the clock had gone on: its whole time counts from there."""


def close_promotion(settings: Settings, at: int) -> None:
    """Say TICKS times what time it is, from `at` (ms UTC) on, each time so much later that an unpaid order is over."""
    with Sender(settings) as sender:
        for number in range(TICKS):
            clock.tick(sender, at + number * STEP_MS)
