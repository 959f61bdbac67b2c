"""The stock feed's commands about the network itself, keyed by stock pool.

Reservation counts each feed id once and hands them on to routing, in the order of all the rest.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pipeline.domain.commands import Command
from pipeline.domain.orders import Name, Text
from pipeline.domain.routing.plan import RoutingPlan, SkuFacts

SKUS_PER_FEED_MAX = 1000


class SetRoutingPlan(Command, frozen=True, kw_only=True):
    """Compare warehouses by this plan from here on."""

    pool: Name
    feed_id: str
    plan: RoutingPlan


class DescribeSkus(Command, frozen=True, kw_only=True):
    """SKUs' categories and weights."""

    pool: Name
    feed_id: str
    skus: Annotated[tuple[SkuFacts, ...], Meta(max_length=SKUS_PER_FEED_MAX)]


class WithdrawWarehouse(Command, frozen=True, kw_only=True):
    """A warehouse ships nothing from here on; RegisterWarehouse opens it again."""

    pool: Name
    feed_id: str
    warehouse: Name
    reason: Text


NetworkCommand = SetRoutingPlan | DescribeSkus | WithdrawWarehouse
