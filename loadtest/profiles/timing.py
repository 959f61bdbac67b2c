"""The orders of a run in time: latencies of any part of it, and how many orders were under way at any moment."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from loadtest.latency import decided_at, first_at, sent_once
from loadtest.lateness import percentile
from loadtest.profiles.result import Backlog, Spell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtest.oracle.history import History


class Timed(NamedTuple):
    """An order that was sent once, in milliseconds from the first intended send; None: that never came."""

    intended_ms: int
    held_ms: int | None
    tracked_ms: int | None
    decided_ms: int | None


class Timing:
    """The orders of a run, by intended time."""

    def __init__(self, orders: Sequence[Timed], begin_ms: int) -> None:
        self.begin_ms = begin_ms
        self._orders = sorted(orders, key=lambda order: order.intended_ms)
        self._intended = [order.intended_ms for order in self._orders]

    @classmethod
    def of(cls, history: History) -> Timing:
        """Take the orders of a history that were sent once; of the others part of the time is the buyer's."""
        begin_ms = min((message.intended_ms for message in history.raw if message.intended_ms), default=0)
        held, tracked = first_at(history, "HoldPlaced"), first_at(history, "ShipmentTracked")
        decided = decided_at(history)

        def since(reached: dict[str, int], order_id: str) -> int | None:
            return reached[order_id] - begin_ms if order_id in reached else None

        return cls(
            [
                Timed(intended_ms - begin_ms, since(held, name), since(tracked, name), since(decided, name))
                for name, intended_ms in sent_once(history)
            ],
            begin_ms,
        )

    @property
    def undecided(self) -> int:
        """Count the orders that no stage has decided in the end."""
        return len(self._orders) - len(self._decided)

    @cached_property
    def _decided(self) -> list[int]:
        return sorted(order.decided_ms for order in self._orders if order.decided_ms is not None)

    def between(self, begin_seconds: float, end_seconds: float) -> list[Timed]:
        """Give the orders that were to be sent from the begin on and before the end."""
        first = bisect_left(self._intended, begin_seconds * 1000)
        return self._orders[first : bisect_left(self._intended, end_seconds * 1000)]

    def spell(self, name: str, begin_seconds: float, end_seconds: float, *, to_hold: bool = False) -> Spell:
        """Sum up the latencies of a part of the time."""
        orders = self.between(begin_seconds, end_seconds)
        waits = [
            (reached - order.intended_ms) / 1000
            for order in orders
            if (reached := order.held_ms if to_hold else order.tracked_ms) is not None
        ]
        return Spell(
            name=name,
            begin_seconds=begin_seconds,
            orders=len(waits),
            p50_seconds=percentile(waits, 0.5),
            p95_seconds=percentile(waits, 0.95),
            p99_seconds=percentile(waits, 0.99),
            max_seconds=max(waits, default=0.0),
        )

    def under_way(self, at_seconds: float) -> int:
        """Count the orders that were to be sent by then, and were not decided."""
        at_ms = at_seconds * 1000
        return bisect_right(self._intended, at_ms) - bisect_right(self._decided, at_ms)

    def decided_by(self, at_seconds: float) -> int:
        """Count the orders that were decided by then."""
        return bisect_right(self._decided, at_seconds * 1000)

    def backlog(self, after: str, at_seconds: float) -> Backlog:
        """Say how many orders were under way at a moment, and how long it took until each of them was decided."""
        waiting = [
            order
            for order in self.between(0, at_seconds)
            if order.decided_ms is None or order.decided_ms > at_seconds * 1000
        ]
        ends = [order.decided_ms for order in waiting]
        known = [end for end in ends if end is not None]
        gone = max(known, default=at_seconds * 1000) / 1000 - at_seconds
        return Backlog(after=after, orders=len(waiting), gone_seconds=gone if len(known) == len(ends) else None)
