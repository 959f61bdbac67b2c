"""What is due, and who is next: queues that follow from reservation's tables, and are in none of them.

They are built at the first use, when the tables have been restored, and kept up from there with every event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain.ranked import Ranked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.domain.reservation.values import Flash, Pending, Wait


class Index:
    """Orders by the time that their hold expires, waiting orders by SKU, flash sales by their end."""

    __slots__ = ("_waiting", "closings", "due", "frozen", "is_behind", "is_built")

    def __init__(self) -> None:
        self.is_built = False
        self.is_behind = True
        """Whether somebody may be waiting for what is there."""
        self.due = Ranked()
        """Order ids by (expires_at)."""
        self.closings = Ranked()
        """`pool|SKU` by (closes_at)."""
        self.frozen: set[str] = set()
        """Order ids that the stock's safety level keeps from going on."""
        self._waiting: dict[bool, dict[str, Ranked]] = {True: {}, False: {}}

    @property
    def presales(self) -> dict[str, Ranked]:
        """Give the orders that wait for goods in transit, by `pool|SKU`."""
        return self._waiting[True]

    @property
    def backorders(self) -> dict[str, Ranked]:
        """Give the orders that wait for free stock, by `pool|SKU`."""
        return self._waiting[False]

    def build(self, pending: Mapping[str, Pending], waits: Mapping[str, Wait], flashes: Mapping[str, Flash]) -> None:
        """Build all queues from the tables."""
        self.is_built = True
        for order_id, one in pending.items():
            self.expire(order_id, one.expires_at)
        for key, wait in waits.items():
            self.wait(key, wait)
        for key, flash in flashes.items():
            self.closings.put(key, (flash.closes_at,))

    def expire(self, order_id: str, expires_at: int | None) -> None:
        """Put an order where it expires; None: it does not."""
        if not self.is_built:
            return
        if expires_at is None:
            self.due.drop(order_id)
        else:
            self.due.put(order_id, (expires_at,))

    def wait(self, key: str, wait: Wait) -> None:
        """Queue an order for a SKU's units; `key` is `order id|SKU`."""
        if not self.is_built:
            return
        order_id, _, sku = key.partition("|")
        queues = self._waiting[wait.is_presale]
        queue = queues.get(f"{wait.pool}|{sku}")
        if queue is None:
            queue = queues[f"{wait.pool}|{sku}"] = Ranked()
        queue.put(order_id, wait.rank)

    def unwait(self, key: str, wait: Wait) -> None:
        """Take an order out of a SKU's queue."""
        if not self.is_built:
            return
        order_id, _, sku = key.partition("|")
        queues = self._waiting[wait.is_presale]
        queue = queues[f"{wait.pool}|{sku}"]
        queue.drop(order_id)
        if not queue:
            del queues[f"{wait.pool}|{sku}"]
