"""Tracking: where each parcel is, by what its carrier reports."""

from __future__ import annotations

from pipeline import topics
from pipeline.domain.commands import ConsumeHold
from pipeline.domain.tracking import deciding as tracking
from pipeline.engine.stage import DecidingStage, decoder
from tables.parcel_policies import PARCEL_POLICIES
from tables.parked_reports import PARKED_REPORTS
from tables.shipments import SHIPMENTS

TRACKING = DecidingStage(
    name="tracking",
    reads=topics.TRACKING_COMMANDS,
    decode=decoder(tracking.TrackingCommand),
    state=tracking.State,
    tables=(SHIPMENTS, PARKED_REPORTS, PARCEL_POLICIES),
    decide=tracking.decide,
    evolve=tracking.evolve,
    writes={ConsumeHold: topics.STOCK_COMMANDS},
)
