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


class WarehouseClosed(Event, frozen=True, kw_only=True):
    """A warehouse ships nothing until it is opened again."""

    pool: str
    warehouse: str
    reason: str
