"""Why an order is held for review: what dedup doubts by itself, and what the review rules say of it.

Two orders of one receiver with a SKU in common, created within an hour of each other, are a suspected duplicate
(疑似重复). Event time counts, both ways, since the later one may arrive first. The one that arrives later is held,
unless the other is cancelled. Where there is no receiver key, nothing is suspected.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.domain import reasons
from pipeline.domain.commands import RequestReview
from pipeline.domain.dedup.review_state import find_hold
from pipeline.domain.dedup.state import DUPLICATE_WITHIN_MS
from pipeline.domain.dedup.values import Standing
from pipeline.domain.events import OrderHeldForReview
from pipeline.domain.memory import AHEAD_MS_MAX
from pipeline.domain.order_events import OrderRuleMatched
from pipeline.domain.rules import matching as rules
from pipeline.domain.rules.active import ACTIVE
from pipeline.domain.rules.book import Action

if TYPE_CHECKING:
    from pipeline.domain.dedup.state import State
    from pipeline.domain.dedup.values import Waiting
    from pipeline.domain.orders import Order
    from pipeline.domain.rules.matching import Match

NO_TWIN = frozenset({Standing.CANCELLED, Standing.REFUND_DUE})
"""Where an order stands that is over: a second one of its kind is the order that the buyer wants."""
BUILT_IN = "holdfast:"
"""What the ids of dedup's own doubts begin with."""
BUILT_IN_VERSION = "1"
LIFTED_BY_CHANGE = frozenset({reasons.MISSING_CUSTOMER, reasons.NOTHING_TO_SHIP, reasons.SUSPECTED_DUPLICATE})
"""The reasons whose cause may be gone when an order shows itself changed. What a rule held, a reviewer lets go."""


class Doubt(NamedTuple):
    """A reason to hold an order: all rules that gave it, by priority, and the evidence of the first."""

    reason: str
    rules: tuple[str, ...]
    version: str
    evidence: str
    priority: int = 0
    deadline_ms: int | None = None
    twin: str = ""


class Look(msgspec.Struct, frozen=True, gc=False):
    """What an order is looked at for: new ones for everything, changed ones for what may have changed."""

    at: int
    is_new: bool = False
    is_changed: bool = False
    for_twins: bool = False
    for_rules: bool = False
    """The rules have changed: what they held may go."""
    no_twins: frozenset[str] = frozenset()
    """Orders that count as over."""
    firm: frozenset[str] = frozenset()
    """Orders that are suspected no more. Others that are came after the one that is looked at again."""


class Finding(msgspec.Struct, frozen=True, gc=False):
    """What is found of an order: reasons to hold it, what rules ask for beside that, and the gate to stock, if any."""

    doubts: Sequence[Doubt]
    remarks: Sequence[OrderRuleMatched] = ()
    stock_gate: str = ""


def examine(state: State, waiting: Waiting, look: Look, approved: Sequence[str]) -> Finding:
    """Look at an order. What a reviewer has let pass is no reason any more."""
    found = [doubt for doubt in _own(state, waiting, look) if doubt.rules[0] not in approved]
    order, envelope, active = waiting.order, waiting.envelope, state.rulebook.get(ACTIVE)
    if active is None or order is None or envelope is None:
        return Finding(found)
    matches = rules.evaluate(active, order, envelope)
    held = [match for match in matches if match.action is Action.HOLD and match.rule_id not in approved]
    by_reason = dict.fromkeys(match.reason for match in held)
    found += [_of_rules([match for match in held if match.reason == reason]) for reason in by_reason]
    asked = [match for match in matches if match.action in {Action.NOTIFY, Action.SERVICE}]
    gates = [match.rule_version for match in matches if match.action is Action.PROTECT]
    remarks = [_remark(match, order, look) for match in asked] if look.is_new or look.is_changed else []
    return Finding(found, remarks, gates[0] if gates else "")


def _of_rules(matches: Sequence[Match]) -> Doubt:
    """Give the one reason of several rules: the first of them has the highest priority."""
    first = matches[0]
    ids = tuple(match.rule_id for match in matches)
    deadline_ms = min(match.deadline_ms for match in matches)
    return Doubt(first.reason, ids, first.rule_version, first.evidence, first.priority, deadline_ms)


def _remark(match: Match, order: Order, look: Look) -> OrderRuleMatched:
    return OrderRuleMatched(
        order_id=order.internal_order_id,
        at=look.at,
        rule_version=match.rule_version,
        rule_id=match.rule_id,
        action=match.action,
        reason=match.reason,
        evidence=match.evidence,
        asks=match.asks,
    )


def _own(state: State, waiting: Waiting, look: Look) -> list[Doubt]:
    """Give dedup's own doubts."""
    order, found = waiting.order, list[Doubt]()
    if order is None:
        return found
    if not order.receiver_key and not order.buyer_id:
        found.append(_doubt(reasons.MISSING_CUSTOMER, "the order names neither a buyer nor a receiver"))
    forgotten_ms = state.orders.forgotten_ms
    if look.is_new and forgotten_ms and order.created_at <= forgotten_ms + AHEAD_MS_MAX:
        evidence = "the order is older than what is remembered: it may have been fulfilled already"
        found.append(_doubt(reasons.TOO_OLD, evidence))
    if not waiting.units:
        found.append(_doubt(reasons.NOTHING_TO_SHIP, f"none of its {len(order.lines)} lines needs stock"))
    if look.for_twins and order.receiver_key:
        found += _twin(state, waiting, order, look)
    return found


def _doubt(reason: str, evidence: str, twin: str = "") -> Doubt:
    return Doubt(reason, (BUILT_IN + reason,), BUILT_IN_VERSION, evidence, twin=twin)


def _twin(state: State, waiting: Waiting, order: Order, look: Look) -> tuple[Doubt, ...]:
    """Find another order of this receiver that may be the same one."""
    receiver = state.receivers.get(f"{waiting.pool}|{order.receiver_key}")
    if receiver is None:
        return ()
    ours = {unit.sku for unit in waiting.units}
    for other in receiver.recent:
        apart = abs(order.created_at - other.created_at)
        if apart > DUPLICATE_WITHIN_MS or _is_no_twin(state, order, other.order_id, look):
            continue
        common = ours.intersection(other.skus.split("\n"))
        if common:
            evidence = f"order {other.order_id} of this receiver has {min(common)} too, {apart // 1000} s apart"
            return (_doubt(reasons.SUSPECTED_DUPLICATE, evidence, other.order_id),)
    return ()


def _is_no_twin(state: State, order: Order, other_id: str, look: Look) -> bool:
    if other_id in look.no_twins or other_id == order.internal_order_id:
        return True
    if state.orders[other_id].standing in NO_TWIN:
        return True
    is_suspect = find_hold(state.reviews.get(other_id), reasons.SUSPECTED_DUPLICATE) is not None
    return is_suspect and not look.is_new and other_id not in look.firm


def hold_for_review(
    state: State, waiting: Waiting, found: Sequence[Doubt], look: Look, from_state: str
) -> list[OrderHeldForReview | RequestReview]:
    """Hold an order for review, for each reason once, and ask the reviewers."""
    order, envelope, policy = waiting.order, waiting.envelope, state.policy()
    if order is None or envelope is None:
        return []
    answers: list[OrderHeldForReview | RequestReview] = []
    for doubt in found:
        patience_ms = policy.review_warn_ms if doubt.deadline_ms is None else doubt.deadline_ms
        answers += [
            OrderHeldForReview(
                order_id=order.internal_order_id,
                at=look.at,
                from_state=from_state,
                rule_version=doubt.version,
                reason=doubt.reason,
                evidence=doubt.evidence,
                pool=waiting.pool,
                rule_id=doubt.rules[0],
                rules=doubt.rules,
                priority=doubt.priority,
                overdue_at=state.since(look.at) + patience_ms,
                twin=doubt.twin,
                paid_minor=order.paid_minor,
                vip_level=envelope.vip_level,
            ),
            RequestReview(
                at=look.at,
                pool=waiting.pool,
                order_id=order.internal_order_id,
                reason=doubt.reason,
                evidence=doubt.evidence,
                order=order,
            ),
        ]
        from_state = Standing.IN_REVIEW
    return answers
