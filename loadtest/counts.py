"""What ClickHouse knows of a run while it goes on: its orders, and where they stand."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from loadtest.oracle.emitted import query

COUNTS_SQL = """
SELECT
    count(),
    countIf(event = 'OrderReceived'),
    countIf(event = 'HoldPlaced'),
    countIf(event = 'HoldRefused'),
    countIf(event = 'WaybillIssued'),
    countIf(event = 'ShipmentMoved' AND to_state = 'signed'),
    countIf(event = 'ShelfStocked')
FROM order_events
"""
OUTCOMES_SQL = "SELECT outcome, count() FROM order_outcomes GROUP BY outcome ORDER BY count() DESC"
FUNNEL_SQL = "SELECT node, label, orders, share_of_previous FROM funnel ORDER BY position"
DECIDED_SQL = """
SELECT uniqExact(order_id) FROM order_events WHERE event IN
('ShipmentTracked', 'HoldRefused', 'RouteFailed', 'OrderHeldForReview', 'OrderCancelled', 'WaybillRefused')
"""
ON_THE_WAY = frozenset({"received", "paid", "locked", "routed", "part_outbound", "outbound"})
"""Outcomes (see sinks/schema) that are none yet. An order that waits for its payment may do so for ever."""


class Counts(NamedTuple):
    """Events so far: all, and some by name."""

    events: int
    received: int
    held: int
    refused: int
    waybills: int
    signed: int
    stocked: int


class Node(msgspec.Struct, frozen=True):
    """A node of the funnel: the orders that reached it, and their share of those at the node before."""

    node: str
    label: str
    orders: int
    share_of_previous: float


def read_counts(clickhouse: str) -> Counts:
    """Count the events. Raises TransientError."""
    return Counts(*map(int, query(clickhouse, COUNTS_SQL)[0]))


def read_outcomes(clickhouse: str) -> dict[str, int]:
    """Count the orders by where they stand."""
    return {outcome: int(orders) for outcome, orders in query(clickhouse, OUTCOMES_SQL)}


def read_decided(clickhouse: str) -> int:
    """Count the orders that a stage has decided for the last time, apart from their parcels' way."""
    return int(query(clickhouse, DECIDED_SQL)[0][0])


def read_funnel(clickhouse: str) -> list[Node]:
    """Read the funnel."""
    return [
        Node(node, label, int(orders), float(share)) for node, label, orders, share in query(clickhouse, FUNNEL_SQL)
    ]
