"""Who gets what has come: the orders that wait for it, by priority and then by time.

Goods that were announced belong to the presale orders that were promised them. What is free belongs to the orders that
could not be held whole. While one waits for a SKU nobody else is given any of it, so nobody is overtaken.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.domain.orders import SkuUnits, SubPool
from pipeline.domain.reservation.answers import Answer, route
from pipeline.domain.reservation.balances import balance_of
from pipeline.domain.reservation.state import ready
from pipeline.domain.reservation.stock_facts import unserved
from pipeline.domain.reservation.values import HoldState
from pipeline.domain.stock_events import HoldFilled

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.domain.ranked import Ranked
    from pipeline.domain.reservation.state import State

FILLS_PER_RECORD_MAX = 5_000
"""One record's answer ends there; the next Tick goes on. A newcomer waits behind those that are left."""


@dataclass(slots=True)
class Serving:
    """Serve those that wait. `gone` are the orders that wait no longer, by the answers so far."""

    state: State
    at: int
    gone: Collection[str] = ()
    answers: list[Answer] = field(default_factory=list)
    _left: dict[str, int] = field(default_factory=dict)
    _fills: int = 0

    def presale(self, gained: Mapping[str, int]) -> None:
        """Give goods that came to those who were promised them; `gained` by `pool|SKU`, by the answers so far."""
        queues = ready(self.state).presales
        for key, gain in gained.items() if queues else ():
            pool, _, sku = key.partition("|")
            self._fill(queues.get(key), key, unserved(self.state, pool, sku) + gain)

    def free(self, gained: Mapping[str, int]) -> None:
        """Give what is free; `gained` by `pool|SKU`, by the answers so far."""
        queues = ready(self.state).backorders
        for key, gain in gained.items() if queues else ():
            pool, _, sku = key.partition("|")
            balance = balance_of(self.state, pool, SubPool.STOCK, sku)
            self._fill(queues.get(key), key, balance.on_hand - balance.held + gain)

    def _fill(self, queue: Ranked | None, key: str, units: int) -> None:
        if queue is None:
            return
        _, _, sku = key.partition("|")
        for _, order_id in queue.walk():
            if units <= 0:
                return
            if order_id in self.gone:
                continue
            if self._fills >= FILLS_PER_RECORD_MAX:
                ready(self.state).is_behind = True
                return
            took = min(units, self.state.waits[f"{order_id}|{sku}"].units)
            units -= took
            self._fills += 1
            self._give(order_id, SkuUnits(sku, took))

    def _give(self, order_id: str, unit: SkuUnits) -> None:
        """Hold units for an order that waited; when they are the last and it is confirmed, it goes on."""
        pending, hold = self.state.pending[order_id], self.state.holds[order_id]
        left = self._left[order_id] = self._left.get(order_id, pending.waiting) - unit.units
        goes_on = left == 0 and hold.state is HoldState.WAITING
        self.answers.append(
            HoldFilled(
                order_id=order_id,
                at=self.at,
                from_state=hold.state,
                to_state=HoldState.HELD if goes_on else hold.state,
                pool=pending.pool,
                sub_pool=pending.sub_pool,
                units=(unit,),
            )
        )
        if goes_on:
            self.answers.append(route(pending, order_id, self.at))


def serve_free(state: State, at: int, pool: str, units: tuple[SkuUnits, ...], gone: str = "") -> list[Answer]:
    """Give units of a pool's stock that the answers so far have set free; `gone` is the order that gave them up."""
    if not ready(state).backorders:
        return []
    gained: dict[str, int] = {}
    for unit in units:
        gained[f"{pool}|{unit.sku}"] = gained.get(f"{pool}|{unit.sku}", 0) + unit.units
    serving = Serving(state, at, (gone,))
    serving.free(gained)
    return serving.answers
