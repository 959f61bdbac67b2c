"""Where a parcel is, by fulfilment id: about 80 bytes, and its units until it leaves the warehouse."""

from __future__ import annotations

from pipeline.domain.tracking.state import Shipment
from pipeline.topics import REMEMBERED_MS, Table

SHIPMENTS = Table(
    name="shipments",
    value=Shipment,
    keeps="400 days: a late report must find its parcel",
    entries_max=60_000_000,
    settled=Shipment.is_settled,
    keep_ms=REMEMBERED_MS,
)
