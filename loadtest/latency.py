"""How long orders took, end to end: from when a shop was to send one to when the broker had a stage's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from loadtest.lateness import percentile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.oracle.history import History

DECIDED = frozenset({"ShipmentTracked", "HoldRefused", "RouteFailed", "OrderHeldForReview", "OrderCancelled"})
"""The last that the stages decide of an order, apart from its parcels' way."""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles in seconds, over so many orders."""

    to: str
    orders: int
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float


def latencies(history: History) -> list[Latency]:
    """Measure the way to the hold and to the last stage.

    Only orders that were sent once and paid are measured: of the others part of the time is the buyer's. The broker's
    append is taken, which a `read_committed` reader sees up to a commit later.
    """
    return [
        _latency("hold placed", list(_seconds(history, "HoldPlaced"))),
        _latency("last stage (shipment tracked)", list(_seconds(history, "ShipmentTracked"))),
    ]


def _latency(name: str, seconds: list[float]) -> Latency:
    return Latency(
        to=name,
        orders=len(seconds),
        p50_seconds=percentile(seconds, 0.5),
        p95_seconds=percentile(seconds, 0.95),
        p99_seconds=percentile(seconds, 0.99),
    )


def _seconds(history: History, event: str) -> Iterator[float]:
    reached = first_at(history, event)
    for order_id, intended_ms in sent_once(history):
        if order_id in reached:
            yield (reached[order_id] - intended_ms) / 1000


def sent_once(history: History) -> Iterator[tuple[str, int]]:
    """Give the orders that are measured, each with when its one record was to be sent (ms UTC)."""
    for order_id, messages in history.raw_by_order.items():
        if len(messages) == 1 and messages[0].kind == "order" and messages[0].intended_ms:
            yield order_id, messages[0].intended_ms


def first_at(history: History, event: str) -> dict[str, int]:
    """Give when each order's first event of this name was appended (ms UTC)."""
    reached: dict[str, int] = {}
    for fact in history.named(event):
        reached.setdefault(fact.order_id, fact.appended_ms)
    return reached


def decided_at(history: History) -> dict[str, int]:
    """Give when the last stage's last decision about each order was appended (ms UTC)."""
    decided: dict[str, int] = {}
    for fact in history.named(*DECIDED):
        decided[fact.order_id] = max(fact.appended_ms, decided.get(fact.order_id, 0))
    return decided


def decided_within(history: History, since_ms: int = 0) -> tuple[float, int]:
    """Give the seconds from the first committed event to the last stage's last decision, and how many were decided.

    The first event is the first order's, not the stock's; times are the broker's. Orders that were received before
    `since_ms` do not count.
    """
    received = {name: at for name, at in first_at(history, "OrderReceived").items() if at >= since_ms}
    begin = min(received.values(), default=0)
    decided = [at for order_id, at in decided_at(history).items() if not since_ms or order_id in received]
    return max(0, max(decided, default=begin) - begin) / 1000, len(decided)
