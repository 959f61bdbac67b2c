"""Reservation's part in feeds about the network: each counts once, and goes on to routing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain import reasons
from pipeline.domain.events import NetworkFeedPassed, StockFeedRefused
from pipeline.domain.network_commands import DescribeSkus, NetworkCommand, SetRoutingPlan, WithdrawWarehouse
from pipeline.domain.routing.plan import problem
from pipeline.domain.routing_commands import AdoptPlan, CloseWarehouse, NoteProducts

if TYPE_CHECKING:
    from collections.abc import Collection

Passed = NetworkFeedPassed | StockFeedRefused | AdoptPlan | CloseWarehouse | NoteProducts


def pass_on(command: NetworkCommand, warehouses: Collection[str]) -> tuple[Passed, ...]:
    """Hand a feed on that makes sense; `warehouses` are the pool's."""
    at, pool = command.at, command.pool
    match command:
        case SetRoutingPlan(plan=plan):
            if problem(plan):
                return (_refused(command, "", reasons.INVALID_PLAN),)
            return _passed(command), AdoptPlan(at=at, pool=pool, plan=plan)
        case DescribeSkus(skus=skus):
            return _passed(command), NoteProducts(at=at, pool=pool, skus=skus)
        case WithdrawWarehouse(warehouse=warehouse):
            if warehouse not in warehouses:
                return (_refused(command, warehouse, reasons.UNKNOWN_WAREHOUSE),)
            return _passed(command), CloseWarehouse(at=at, pool=pool, warehouse=warehouse, reason=command.reason)


def _passed(command: NetworkCommand) -> NetworkFeedPassed:
    return NetworkFeedPassed(at=command.at, pool=command.pool, feed_id=command.feed_id, feed=type(command).__name__)


def _refused(command: NetworkCommand, warehouse: str, reason: str) -> StockFeedRefused:
    return StockFeedRefused(
        at=command.at,
        pool=command.pool,
        feed_id=command.feed_id,
        warehouse=warehouse,
        sku="",
        change_units=0,
        reason=reason,
    )
