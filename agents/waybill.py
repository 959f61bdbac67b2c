"""Waybill: one waybill for each fulfilment order, and never two."""

from __future__ import annotations

from pipeline import topics
from pipeline.domain.commands import CallCarrier, ReleaseHold, StopTracking, TrackShipment, WaybillCommand
from pipeline.domain.routing_commands import ReportStop
from pipeline.domain.waybill import deciding as waybill
from pipeline.engine.stage import DecidingStage, decoder
from tables.attempts import ATTEMPTS
from tables.stops import STOPS

WAYBILL = DecidingStage(
    name="waybill",
    reads=topics.WAYBILL_COMMANDS,
    decode=decoder(WaybillCommand),
    state=waybill.State,
    tables=(ATTEMPTS, STOPS),
    decide=waybill.decide,
    evolve=waybill.evolve,
    writes={
        CallCarrier: topics.CARRIER_CALLS,
        TrackShipment: topics.TRACKING_COMMANDS,
        StopTracking: topics.TRACKING_COMMANDS,
        ReleaseHold: topics.STOCK_COMMANDS,
        ReportStop: topics.ROUTING_COMMANDS,
    },
)
