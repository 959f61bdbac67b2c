"""When a paid order is overdue. A hold's last two places: when it was paid, and when it is overdue next; or 0 and 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loadtest.oracle.model.policy import LOCKED, OUTBOUND, ROUTING, alarm_ms

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Answers, Tables

HELD, WAITING, FROZEN = "locked", "waiting", "frozen"
PAID_AT, ALARM_AT = 4, 5
TOLD_MAX = 500
NEVER = [0, 0]


def begin(tables: Tables, state: str, paid_at: int, at: int) -> list[int]:
    """Give a hold's last places as it comes to its first state after its payment."""
    patience = {
        HELD: min(
            at + alarm_ms(tables["stock_policies"], LOCKED), paid_at + alarm_ms(tables["stock_policies"], OUTBOUND)
        )
    }
    patience |= dict.fromkeys((WAITING, FROZEN), paid_at + alarm_ms(tables["stock_policies"], ROUTING))
    return [paid_at, patience[state]]


def lock(tables: Tables, hold: list[Any], at: int) -> None:
    """Let a hold go to routing. One of which the last was said already is not overdue again."""
    hold[0] = HELD
    if hold[ALARM_AT]:
        hold[PAID_AT:] = begin(tables, HELD, hold[PAID_AT], at)


def tell_overdue(tables: Tables, answers: Answers, at: int) -> None:
    """Say what is overdue, and when it is next: when it should have left, counted from the payment, then no more."""
    late = sorted((hold[ALARM_AT], order_id) for order_id, hold in tables["holds"].items() if 0 < hold[ALARM_AT] <= at)
    for alarm_at, order_id in late[:TOLD_MAX]:
        hold = tables["holds"][order_id]
        answers.tell("HoldOverdue", order_id, hold[0])
        last_at = hold[PAID_AT] + alarm_ms(tables["stock_policies"], OUTBOUND)
        hold[ALARM_AT] = last_at if alarm_at < last_at else 0
