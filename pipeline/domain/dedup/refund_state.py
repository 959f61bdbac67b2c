"""What dedup remembers of refunds, and how facts change that."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from pipeline.domain.dedup.values import RefundCase, RefundState
from pipeline.domain.order_events import RefundDecided, RefundIgnored, RefundOverdue, RefundPaid, RefundRequested

if TYPE_CHECKING:
    from pipeline.domain.dedup.state import State
    from pipeline.domain.events import RefundDue

REFUND = "refund"
"""The kind of a refund's deadline."""
CANCELLED = "cancelled"
"""The tier of what was paid for an order that is cancelled."""

RefundEvent = RefundRequested | RefundDecided | RefundPaid | RefundOverdue | RefundIgnored


def deadline(order_id: str, refund_id: str = "") -> str:
    """Give the key of a refund's deadline; without a refund id that of a cancelled order's money."""
    return f"{REFUND}|{order_id}|{refund_id}"


def owe(state: State, fact: RefundDue) -> None:
    """Open the case of a cancelled order's money: nobody decides on it."""
    case = RefundCase(RefundState.APPROVED, fact.paid_minor, CANCELLED, "")
    state.refunds[f"{fact.order_id}|"] = case
    if fact.due_at is not None:
        state.remind(deadline(fact.order_id), fact.due_at)


def evolve(state: State, fact: RefundEvent) -> None:
    """Apply a fact."""
    order_id = fact.order_id
    key = f"{order_id}|{fact.refund_id}"
    match fact:
        case RefundRequested():
            policy = f"{fact.rule_version}/{fact.variant}"
            state.refunds[key] = RefundCase(RefundState(fact.to_state), fact.amount_minor, fact.tier, policy)
            state.remind(deadline(order_id, fact.refund_id), fact.due_at)
            _count(state, order_id, fact.amount_minor)
        case RefundDecided():
            case = state.refunds[key]
            to = RefundState(fact.to_state)
            state.refunds[key] = replace(case, state=to, approvers=(*case.approvers, fact.approver))
            if to is RefundState.REJECTED:
                state.deadlines.pop(deadline(order_id, fact.refund_id), None)
                _count(state, order_id, -case.amount_minor)
        case RefundPaid():
            state.deadlines.pop(deadline(order_id, fact.refund_id), None)
            state.refunds[key] = replace(state.refunds[key], state=RefundState.REFUNDED)
        case RefundOverdue():
            state.deadlines.pop(deadline(order_id, fact.refund_id), None)
        case RefundIgnored():
            pass
        case _:
            assert_never(fact)


def _count(state: State, order_id: str, amount_minor: int) -> None:
    seen = state.orders[order_id]
    state.orders[order_id] = replace(seen, refunded_minor=seen.refunded_minor + amount_minor)
