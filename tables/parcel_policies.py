"""The limits after which parcels are silent for too long, one entry: `orders`."""

from __future__ import annotations

from pipeline.domain.order_policy import OrderPolicy
from pipeline.topics import Table

PARCEL_POLICIES = Table(name="parcel_policies", value=OrderPolicy, keeps="for ever", entries_max=10)
