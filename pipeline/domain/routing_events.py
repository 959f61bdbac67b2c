"""Routing's events about the network: plans, products, and warehouses that open and close."""

from __future__ import annotations

from pipeline.domain.events import Event
from pipeline.domain.routing.plan import RoutingPlan, SkuFacts


class PlanAdopted(Event, frozen=True, kw_only=True):
    """Warehouses are compared by this plan from here on; `rule_version` is its version."""

    pool: str
    plan: RoutingPlan


class ProductsNoted(Event, frozen=True, kw_only=True):
    """SKUs' categories and weights are known."""

    pool: str
    skus: tuple[SkuFacts, ...]


class ShelfCounted(Event, frozen=True, kw_only=True):
    """A shelf was counted. Between `least_units` and `most_units` the books were right: orders were under way.

    `change_units` is by how much they were not, and what reservation is asked to correct.
    """

    pool: str
    feed_id: str
    warehouse: str
    sku: str
    counted_units: int
    least_units: int
    most_units: int
    change_units: int


class CountSettled(Event, frozen=True, kw_only=True):
    """What a count found wrong is in the books now; or, not `applied`, is not, since held units would go."""

    pool: str
    feed_id: str
    warehouse: str
    sku: str
    change_units: int
    applied: bool


class WarehouseClosed(Event, frozen=True, kw_only=True):
    """A warehouse ships nothing until it is opened again."""

    pool: str
    warehouse: str
    reason: str
