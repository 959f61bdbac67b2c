"""How an order that waits goes on: to reservation, when it is paid and nothing holds it for review."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from pipeline.domain import reasons
from pipeline.domain.commands import CancelHold, ConfirmHold, PlaceHold, RequestReview
from pipeline.domain.dedup.doubts import BUILT_IN, LIFTED_BY_CHANGE, Look, examine, hold_for_review
from pipeline.domain.dedup.field_changes import buyer_token, ship_to_of, values_of
from pipeline.domain.dedup.notes import DeadlineNoted, OrderKept, OrderNoted
from pipeline.domain.dedup.state import UNPAID
from pipeline.domain.dedup.values import AWAIT_PAY, PAID, Review, Seen, Standing, Waiting, address_sum, goods_sum
from pipeline.domain.events import CancelRequested, OrderCancelled, OrderHeldForReview, OrderPaid, RefundDue
from pipeline.domain.order_events import CancelConfirmed, OrderReleased, OrderRuleMatched, ReviewReleased
from pipeline.domain.orders import SubPool, units_to_ship

if TYPE_CHECKING:
    from pipeline.domain.commands import SubmitOrder
    from pipeline.domain.dedup.doubts import Doubt, Finding
    from pipeline.domain.dedup.state import State
    from pipeline.domain.dedup.values import ReviewHold
    from pipeline.domain.order_commands import DecideReview
    from pipeline.domain.orders import Order

Answer = (
    OrderHeldForReview
    | OrderRuleMatched
    | RequestReview
    | OrderPaid
    | OrderKept
    | DeadlineNoted
    | OrderReleased
    | ReviewReleased
    | PlaceHold
    | ConfirmHold
    | OrderCancelled
    | CancelRequested
    | CancelConfirmed
    | RefundDue
    | CancelHold
)


FLASH = SubPool.FLASH


class Step(msgspec.Struct, frozen=True, gc=False):
    """An order that waits, as it is by now: its review, less the holds that were lifted, and whether it is paid."""

    order_id: str
    seen: Seen
    waiting: Waiting
    review: Review
    look: Look
    pays: int | None = None
    """What is paid for it with this step."""

    @property
    def paid(self) -> bool:
        """Say whether it is paid, by now or with this step."""
        return self.seen.paid or self.pays is not None


def waiting_of(command: SubmitOrder) -> Waiting:
    """Give what an order asks for when it goes on."""
    order = command.order
    return Waiting(units_to_ship(order), ship_to_of(order), order, command.envelope, command.pool)


def noted(waiting: Waiting, order: Order, rank: int) -> OrderNoted:
    """Note what no event may carry: who receives an order, and how a change is told."""
    return OrderNoted(
        pool=waiting.pool,
        order_id=order.internal_order_id,
        created_at=order.created_at,
        receiver_key=order.receiver_key,
        skus="\n".join([unit.sku for unit in waiting.units]),
        rank=rank,
        vip_level=0 if waiting.envelope is None else waiting.envelope.vip_level,
        address=address_sum(waiting.ship_to),
        goods=goods_sum(waiting.units),
    )


def go_on(state: State, step: Step) -> list[Answer]:
    """Take an order on as far as it may go: hold it for what is found now, let go of what is found no more."""
    order_id, seen, at = step.order_id, step.seen, step.look.at
    answers: list[Answer] = []
    was_waiting = seen.standing is AWAIT_PAY
    if step.pays is not None:
        to = PAID if was_waiting else Standing.IN_REVIEW
        answers.append(
            OrderPaid(
                order_id=order_id,
                at=at,
                from_state=seen.standing,
                to_state=to,
                paid_minor=step.pays,
            )
        )
    finding = examine(state, step.waiting, step.look, step.review.approved)
    answers += finding.remarks
    new: list[Doubt] = []
    is_held = False
    if finding.doubts or step.review.holds:
        new, lifted, is_held = _compared(step, finding)
        answers += [released(hold, order_id, at) for hold in lifted]
    if is_held or not step.paid:
        answers += _wait(state, step, finding, is_held=is_held)
    if new:
        from_state = PAID if was_waiting and step.pays is not None else seen.standing
        answers += hold_for_review(state, step.waiting, new, step.look, from_state)
    if is_held:
        return answers
    if not was_waiting:
        to = PAID if step.paid else AWAIT_PAY
        answers.append(OrderReleased(order_id=order_id, at=at, to_state=to))
    return answers + (_send_on(step, finding) if step.paid else [])


def _compared(step: Step, finding: Finding) -> tuple[list[Doubt], list[ReviewHold], bool]:
    """Give what is doubted anew, the holds whose cause is gone, and whether anything holds the order."""
    found: dict[str, Doubt] = {}
    for doubt in finding.doubts:
        found.setdefault(doubt.reason, doubt)
    holds = step.review.holds
    lifted = [hold for hold in holds if _is_lifted(hold, step.look, found.get(hold.reason))]
    stay = {hold.reason for hold in holds if hold not in lifted}
    new = [doubt for doubt in found.values() if doubt.reason not in stay]
    return new, lifted, bool(new or stay)


def _is_lifted(hold: ReviewHold, look: Look, found: Doubt | None) -> bool:
    """Say whether the cause of a hold is gone, where it was looked for; another twin is another cause."""
    if hold.reason == reasons.SUSPECTED_DUPLICATE:
        return look.for_twins and (found is None or found.twin != hold.twin)
    if look.for_rules and not hold.rules[0].startswith(BUILT_IN):
        return found is None
    return hold.reason in LIFTED_BY_CHANGE and found is None


def released(hold: ReviewHold, order_id: str, at: int, by: DecideReview | None = None) -> ReviewReleased:
    """Say that a hold is lifted: by a reviewer, or because its cause is gone."""
    return ReviewReleased(
        order_id=order_id,
        at=at,
        from_state=hold.state,
        rule_version=hold.rule_version,
        reason=hold.reason,
        rules=hold.rules,
        reviewer="" if by is None else by.reviewer,
        note="" if by is None else by.note,
    )


def _wait(state: State, step: Step, finding: Finding, *, is_held: bool) -> list[Answer]:
    """Keep an order that waits. Its units are taken off sale meanwhile, where its platform does so."""
    waiting, at, policy = step.waiting, step.look.at, state.policy()
    answers: list[Answer] = []
    envelope, order = waiting.envelope, waiting.order
    holds = envelope is not None and envelope.holds_unpaid and not (is_held or waiting.held or step.paid)
    if holds:
        waiting = replace(waiting, held=True)
    if waiting != step.seen.rest:
        answers.append(OrderKept(order_id=step.order_id, waiting=waiting))
    if step.look.is_new and not step.paid and order is not None:
        key = f"{UNPAID}|{step.order_id}|"
        answers.append(DeadlineNoted(key=key, due_at=state.since(order.created_at) + policy.unpaid_warn_ms))
    if holds:
        answers.append(_place(step, finding, state.since(at) + policy.hold_unpaid_ms))
    return answers


def _send_on(step: Step, finding: Finding) -> list[Answer]:
    """Hand a paid order to reservation; here it is not needed any more."""
    answers: list[Answer] = []
    if isinstance(step.seen.rest, Waiting):
        answers.append(OrderKept(order_id=step.order_id, waiting=None))
    if step.waiting.held:
        pool, paid_minor = step.waiting.pool, step.pays if step.pays is not None else step.seen.paid_minor
        answers.append(ConfirmHold(at=step.look.at, pool=pool, order_id=step.order_id, paid_minor=paid_minor))
    else:
        answers.append(_place(step, finding, None))
    return answers


def _place(step: Step, finding: Finding, expires_at: int | None) -> PlaceHold:
    waiting, envelope, order, at = step.waiting, step.waiting.envelope, step.waiting.order, step.look.at
    sub_pool = SubPool.STOCK if envelope is None else envelope.sub_pool
    paid_at = (order.paid_at if order is not None else None) or at
    return PlaceHold(
        at=at,
        pool=waiting.pool,
        order_id=step.order_id,
        units=waiting.units,
        ship_to=waiting.ship_to,
        sub_pool=sub_pool,
        may_split=envelope is not None and envelope.may_split,
        priority=waiting.priority,
        expires_at=expires_at,
        stock_gate=finding.stock_gate,
        values_minor=() if order is None else values_of(order),
        paid_minor=step.pays if step.pays is not None else step.seen.paid_minor,
        paid_at=paid_at if paid_at < at else 0,
        buyer="" if order is None or sub_pool is not FLASH else buyer_token(order),
    )


# --- the end of an order ---


def cancel(state: State, pool: str, order_id: str, at: int, reason: str) -> list[Answer]:
    """Cancel an order that may be cancelled: here while nothing of it is routed, else by way of its hold."""
    seen = state.orders[order_id]
    undo = CancelHold(at=at, pool=pool, order_id=order_id, reason=reason)
    is_held = isinstance(seen.rest, Waiting) and seen.rest.held
    if seen.standing is Standing.PAID:
        to = Standing.CANCEL_REQUESTED
        asked = CancelRequested(order_id=order_id, at=at, from_state=seen.standing, to_state=to, reason=reason)
        return [asked, undo]
    return [
        OrderCancelled(order_id=order_id, at=at, from_state=seen.standing, reason=reason),
        *([undo] if is_held else []),
        *release_twins(state, order_id, at),
    ]


def cancel_and_refund(state: State, pool: str, order_id: str, at: int, reason: str) -> list[Answer]:
    """Cancel an order; where that is done at once, what was paid for it is to go back."""
    is_done = state.orders[order_id].standing is not Standing.PAID
    return cancel(state, pool, order_id, at, reason) + (refund_due(state, order_id, at) if is_done else [])


def refund_due(state: State, order_id: str, at: int) -> list[Answer]:
    """Say that what was paid for a cancelled order, and not given back yet, is to go back."""
    seen = state.orders[order_id]
    left = seen.paid_minor - seen.refunded_minor
    if not seen.paid or left <= 0:
        return []
    return [RefundDue(order_id=order_id, at=at, paid_minor=left, due_at=at + state.policy().refund_ms)]


def release_twins(state: State, order_id: str, at: int) -> list[Answer]:
    """Look again at the orders that were held because they may repeat one that is cancelled now."""
    twins = state.twins.get(order_id)
    answers: list[Answer] = []
    earlier: list[str] = []
    for suspect in twins.suspects if twins is not None else ():
        seen, review = state.orders[suspect], state.reviews.get(suspect, Review())
        if isinstance(seen.rest, Waiting):
            look = Look(at, for_twins=True, no_twins=frozenset({order_id}), firm=frozenset(earlier))
            answers += go_on(state, Step(suspect, seen, seen.rest, review, look))
        earlier.append(suspect)
    return answers
