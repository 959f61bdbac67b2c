"""The stock's own safeguards: orders that would take a SKU below its safety level are frozen, and people are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.domain import reasons
from pipeline.domain.commands import RequestReview
from pipeline.domain.orders import SubPool
from pipeline.domain.reservation.balances import balance_of
from pipeline.domain.reservation.safety import is_hot, level_units, on_day
from pipeline.domain.reservation.values import DAY_MS
from pipeline.domain.stock_events import HotSeller, ReplenishmentDue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.domain.reservation.state import State


class Alarm(NamedTuple):
    """What an order sets off: why it is frozen (empty: it is not), and what people are told."""

    evidence: str = ""
    events: tuple[ReplenishmentDue | HotSeller, ...] = ()
    rule_version: str | None = None
    """The rule that freezes it."""

    def behind(self, stock_gate: str) -> Alarm:
        """Freeze the order only where a rule says so: `stock_gate` is its id and version. People are told anyway."""
        if not stock_gate or not self.evidence:
            return self._replace(evidence="")
        return self._replace(rule_version=stock_gate)

    def review(self, at: int, pool: str, order_id: str) -> tuple[RequestReview, ...]:
        """Ask for a review of an order that is frozen."""
        if not self.evidence:
            return ()
        reason = reasons.STOCK_PROTECTION
        return (RequestReview(at=at, pool=pool, order_id=order_id, reason=reason, evidence=self.evidence),)


QUIET = Alarm()


def look(state: State, at: int, pool: str, skus: Iterable[str], taken: Mapping[str, int]) -> Alarm:
    """Look at the SKUs of an order that goes on; `taken` are the units of each that its answer takes."""
    evidence = ""
    events: list[ReplenishmentDue | HotSeller] = []
    for sku in skus if state.safety else ():
        safety = state.safety.get(f"{pool}|{sku}")
        if safety is None:
            continue
        balance = balance_of(state, pool, SubPool.STOCK, sku)
        available, level = balance.on_hand - balance.held - taken.get(sku, 0), level_units(safety, at)
        if available < level:
            evidence = evidence or f"{sku}: {available} units are left, its safety level is {level}"
            if not safety.is_due:
                events.append(ReplenishmentDue(at=at, pool=pool, sku=sku, level_units=level, available_units=available))
        if safety.hot_day < at // DAY_MS and is_hot(safety, at, available):
            days = on_day(safety, at).sold[1:]
            events.append(HotSeller(at=at, pool=pool, sku=sku, sold=days, available_units=available))
    return Alarm(evidence, tuple(events))


def is_low(state: State, at: int, pool: str, skus: Iterable[str]) -> bool:
    """Say whether less is available of one of these SKUs than its safety level."""
    for sku in skus:
        safety = state.safety.get(f"{pool}|{sku}")
        if safety is None:
            continue
        balance = balance_of(state, pool, SubPool.STOCK, sku)
        if balance.on_hand - balance.held < level_units(safety, at):
            return True
    return False
