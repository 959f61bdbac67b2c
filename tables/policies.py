"""The limits in force, one entry: `orders`."""

from __future__ import annotations

from pipeline.domain.order_policy import OrderPolicy
from pipeline.topics import Table

POLICIES = Table(name="policies", value=OrderPolicy, keeps="for ever", entries_max=10)
