"""The map: the stages in the order in which an order passes through them.

    orders.raw ─▶ ingest ─▶ dedup ─▶ reservation ─▶ routing ─▶ waybill ─▶ tracking
                                          ▲            │         │  ▲         │
                                          │            │   carrier_calls      │
                                          └─ what will not ship, ─┴── what shipped

Each writes its events to order.events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.carrier_calls import CARRIER_CALLS
from agents.dedup import DEDUP
from agents.ingest import ingest_stage
from agents.reservation import RESERVATION
from agents.routing import ROUTING
from agents.tracking import TRACKING
from agents.waybill import WAYBILL

if TYPE_CHECKING:
    from pipeline.engine.stage import Stage
    from pipeline.settings import Settings

STAGE_NAMES = ("ingest", "dedup", "reservation", "routing", "waybill", "carrier_calls", "tracking")


def stages(settings: Settings) -> tuple[Stage, ...]:
    """Give the stages, in flow order. Raises SettingsError for a shop map that cannot be read."""
    return (
        ingest_stage(settings),
        DEDUP,
        RESERVATION,
        ROUTING,
        WAYBILL,
        CARRIER_CALLS,
        TRACKING,
    )
