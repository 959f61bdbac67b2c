"""The time limits of paid orders, as the policy has them: until they are routed, and until they have left.

Source: the requirements (T2, T3 and T4 of `orders.md`). An alarm moves no stock: it says that people should look.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pipeline.domain.reservation.values import HELD, HoldState
from pipeline.domain.stock_events import HoldOverdue

if TYPE_CHECKING:
    from pipeline.domain.order_policy import OrderPolicy
    from pipeline.domain.reservation.state import State
    from pipeline.domain.reservation.values import Hold

ALARMS_PER_TICK_MAX = 500
"""One Tick's answer ends there; the next one goes on."""


class Limit(StrEnum):
    """What took too long."""

    ROUTING = "routing"
    """Paid, and no warehouse knows of it: it waits for stock, or for a person."""
    LOCKED = "locked"
    """Routed, and not out of the warehouse."""
    OUTBOUND = "outbound"
    """Paid, and not out of the warehouse: all that is said of it."""


def first_alarm(policy: OrderPolicy, hold_state: HoldState, paid_at: int, at: int) -> int:
    """Give when a paid order is overdue first that came to this state at `at`; 0: in this state it never is."""
    if hold_state is HELD:
        return min(at + policy.locked_alarm_ms, paid_at + policy.outbound_alarm_ms)
    return paid_at + policy.routing_alarm_ms if hold_state in {HoldState.WAITING, HoldState.FROZEN} else 0


def alarm_after(policy: OrderPolicy, hold: Hold, hold_state: HoldState, at: int) -> int:
    """Give when a paid order is overdue next that goes to this state. What was said of it is not said again."""
    if hold_state is not HoldState.HELD or hold.state is HoldState.HELD:
        return hold.alarm_at
    return first_alarm(policy, hold_state, hold.paid_at, at) if hold.alarm_at else 0


def overdue(state: State, at: int) -> list[HoldOverdue]:
    """Say of each paid order that is overdue by now which limit it is past."""
    holds = state.holds
    due = state.alarms.due(((key, hold.alarm_at) for key, hold in holds.items()), at, ALARMS_PER_TICK_MAX)
    within_ms = state.policy.outbound_alarm_ms
    return [_overdue(order_id, holds[order_id], at, holds[order_id].paid_at + within_ms) for order_id in due]


def _overdue(order_id: str, hold: Hold, at: int, last_at: int) -> HoldOverdue:
    limit = Limit.LOCKED if hold.state is HoldState.HELD else Limit.ROUTING
    if hold.alarm_at >= last_at:
        limit = Limit.OUTBOUND
    return HoldOverdue(
        order_id=order_id,
        at=at,
        from_state=hold.state,
        to_state=hold.state,
        limit=limit,
        due_at=hold.alarm_at,
        next_at=None if limit is Limit.OUTBOUND else last_at,
    )
