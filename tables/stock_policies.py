"""The limits after which paid orders are overdue, one entry: `orders`."""

from __future__ import annotations

from pipeline.domain.order_policy import OrderPolicy
from pipeline.topics import Table

STOCK_POLICIES = Table(name="stock_policies", value=OrderPolicy, keeps="for ever", entries_max=10)
