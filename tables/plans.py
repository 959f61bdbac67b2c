"""How a pool's warehouses are compared, by pool: the whole plan, some 200 bytes a warehouse."""

from __future__ import annotations

from pipeline.domain.routing.plan import RoutingPlan
from pipeline.topics import Table

PLANS = Table(name="plans", value=RoutingPlan, keeps="for ever", entries_max=10_000)
