"""Refunds: small ones are granted at once, to a VIP larger ones, and above that two people must agree.

What is given back never exceeds what was paid. An order of which all is given back while it may still be cancelled is
cancelled with that (`orders.md`, section 8.6); later the goods are a matter of the returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain import reasons
from pipeline.domain.dedup.refund_state import CANCELLED
from pipeline.domain.dedup.values import RefundState
from pipeline.domain.order_events import RefundDecided, RefundIgnored, RefundPaid, RefundRequested
from pipeline.domain.order_policy import refund_variant

if TYPE_CHECKING:
    from pipeline.domain.dedup.state import State
    from pipeline.domain.dedup.values import Seen
    from pipeline.domain.order_commands import ConfirmRefund, DecideRefund, RequestRefund, TrimOrder

APPROVERS = 2
SELF_SERVICE, VIP, MANUAL = "self_service", "vip", "manual"
"""The tiers."""


def ask_refund(state: State, command: RequestRefund, seen: Seen) -> RefundRequested | RefundIgnored:
    """Answer the request for a refund of an order."""
    order_id, refund_id = command.order_id, command.refund_id
    if f"{order_id}|{refund_id}" in state.refunds:
        return _ignored(command, state.refunds[f"{order_id}|{refund_id}"].state)
    if not seen.paid:
        return _ignored(command, reasons.NOT_PAID)
    if command.amount_minor > seen.paid_minor - seen.refunded_minor:
        return _ignored(command, reasons.MORE_THAN_PAID)
    policy = state.policy()
    variant = refund_variant(policy, order_id)
    tiers = policy.refund_b if variant == "B" else policy.refund_a
    tier = MANUAL
    if command.amount_minor <= tiers.self_service_minor:
        tier = SELF_SERVICE
    elif seen.vip_level >= tiers.vip_level and command.amount_minor <= tiers.vip_minor:
        tier = VIP
    return RefundRequested(
        order_id=order_id,
        at=command.at,
        to_state=RefundState.REVIEW if tier == MANUAL else RefundState.APPROVED,
        rule_version=policy.version,
        refund_id=refund_id,
        amount_minor=command.amount_minor,
        tier=tier,
        variant=variant,
        due_at=command.at + policy.refund_ms,
    )


def give_back(state: State, command: TrimOrder, seen: Seen, value_minor: int) -> list[RefundRequested]:
    """Give back what was paid for a part that is not wanted any more: its price, and never more than was paid."""
    amount_minor = min(value_minor, seen.paid_minor - seen.refunded_minor)
    if not seen.paid or amount_minor <= 0 or f"{command.order_id}|{command.trim_id}" in state.refunds:
        return []
    policy = state.policy()
    return [
        RefundRequested(
            order_id=command.order_id,
            at=command.at,
            to_state=RefundState.APPROVED,
            rule_version=policy.version,
            refund_id=command.trim_id,
            amount_minor=amount_minor,
            tier=CANCELLED,
            variant=refund_variant(policy, command.order_id),
            due_at=command.at + policy.refund_ms,
        )
    ]


def decide(state: State, command: DecideRefund) -> RefundDecided | RefundIgnored:
    """Take an approver's word; the second one that agrees decides, the first one that does not."""
    case = state.refunds.get(f"{command.order_id}|{command.refund_id}")
    if case is None:
        return _ignored(command, reasons.UNKNOWN_REFUND)
    if case.state is not RefundState.REVIEW:
        return _ignored(command, case.state)
    if command.approver in case.approvers and command.approve:
        return _ignored(command, reasons.APPROVED_BY_SAME)
    to = RefundState.REJECTED
    if command.approve:
        to = RefundState.APPROVED if len(case.approvers) + 1 >= APPROVERS else RefundState.REVIEW
    version, _, variant = case.policy.rpartition("/")
    return RefundDecided(
        order_id=command.order_id,
        at=command.at,
        to_state=to,
        rule_version=version,
        refund_id=command.refund_id,
        approver=command.approver,
        amount_minor=case.amount_minor,
        tier=case.tier,
        variant=variant,
        note=command.note,
    )


def confirm(state: State, command: ConfirmRefund) -> RefundPaid | RefundIgnored:
    """Take note that money is back."""
    order_id, refund_id = command.order_id, command.refund_id
    case = state.refunds.get(f"{order_id}|{refund_id}")
    if case is None:
        return _ignored(command, reasons.UNKNOWN_REFUND)
    if case.state is not RefundState.APPROVED:
        return _ignored(command, case.state)
    return RefundPaid(
        order_id=order_id,
        at=command.at,
        refund_id=refund_id,
        amount_minor=case.amount_minor,
        author=command.author,
        note=command.note,
    )


def _ignored(command: RequestRefund | DecideRefund | ConfirmRefund, answer: str) -> RefundIgnored:
    return RefundIgnored(order_id=command.order_id, at=command.at, refund_id=command.refund_id, answer=answer)
