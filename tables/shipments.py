"""Where a parcel is, by fulfilment id: about 80 bytes, and its units until it leaves the warehouse."""

from __future__ import annotations

from pipeline.domain.tracking_state import Shipment
from pipeline.topics import Table

SHIPMENTS = Table(
    name="shipments", value=Shipment, keeps="for ever: a late report must find its parcel", entries_max=6_000_000
)
