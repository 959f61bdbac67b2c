"""Announced deliveries, by `pool|inbound id`: what of each has not come, INBOUND_LINES_MAX lines at most."""

from __future__ import annotations

from pipeline.domain.reservation.values import Inbound
from pipeline.topics import Table

INBOUNDS = Table(
    name="inbounds",
    value=Inbound,
    keeps="for ever: an inbound id counts once",
    entries_max=1_000_000,
    settled=Inbound.is_settled,
)
