"""Carrier calls: asks the carriers, outside any transaction, and writes their answers down for the waybill stage."""

from __future__ import annotations

from pipeline import topics
from pipeline.carriers.caller import connect
from pipeline.domain.commands import CallCarrier, RecordAnswer
from pipeline.engine.stage import CallingStage, decoder

CALLS_MAX = 256
"""Calls under way at once: 2,000 a second at 100 ms each, with room."""

CARRIER_CALLS = CallingStage(
    name="carrier_calls",
    reads=topics.CARRIER_CALLS,
    decode=decoder(CallCarrier),
    connect=connect,
    writes={RecordAnswer: topics.WAYBILL_COMMANDS},
    calls_max=CALLS_MAX,
)
