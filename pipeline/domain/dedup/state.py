"""What dedup remembers, and how its facts change that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from pipeline.domain import order_policy
from pipeline.domain.dedup import refund_state, review_state
from pipeline.domain.dedup.agenda import Agenda
from pipeline.domain.dedup.notes import (
    AddressNoted,
    AskParked,
    ClockNoted,
    DeadlineNoted,
    OrderKept,
    OrderNoted,
    StateShown,
)
from pipeline.domain.dedup.refund_state import RefundEvent
from pipeline.domain.dedup.review_state import ReviewEvent
from pipeline.domain.dedup.values import (
    AWAIT_PAY,
    PAID,
    Parked,
    Receiver,
    RecentOrder,
    Seen,
    Standing,
    Waiting,
    address_sum,
    goods_sum,
)
from pipeline.domain.events import (
    CancelRequested,
    OrderCancelled,
    OrderCreated,
    OrderPaid,
    OrderParked,
    OrderRepeated,
    RefundDue,
)
from pipeline.domain.order_events import (
    CancelConfirmed,
    OrderChanged,
    OrderChangeRefused,
    OrderExpedited,
    OrderPolicySet,
    OrderReleased,
    OrderRuleMatched,
    OrderTrimmed,
    OrderUnpaidTooLong,
)
from pipeline.domain.rules import active as rules_active
from pipeline.domain.rules.active import RulesActivated, RulesNoted, RulesRefused, RulesRepeated

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from pipeline.domain.dedup.values import RefundCase, Review, Twins
    from pipeline.domain.memory import Memory
    from pipeline.domain.order_policy import OrderPolicy
    from pipeline.domain.rules.active import ActiveRules

__all__ = ["Event", "Note", "RefundEvent", "ReviewEvent", "RulesEvent", "State", "evolve"]

DUPLICATE_WITHIN_MS = 60 * 60 * 1000
RECENT_WITHIN_MS = 6 * DUPLICATE_WITHIN_MS
"""How far behind a receiver's newest order the others are remembered: one that comes five hours late is compared."""
RECENT_ORDERS_PER_RECEIVER_MAX = 32
"""A receiver with more orders in that time is no household: the oldest are forgotten."""
CLOCK = "now"
UNPAID, CANCEL = "unpaid", "cancel"
"""The kinds of deadlines of an unpaid order."""

FirstEvent = OrderCreated | OrderPaid | OrderRepeated
LaterEvent = (
    OrderParked
    | OrderCancelled
    | CancelRequested
    | CancelConfirmed
    | RefundDue
    | OrderReleased
    | OrderChanged
    | OrderChangeRefused
    | OrderExpedited
    | OrderTrimmed
    | OrderRuleMatched
    | OrderUnpaidTooLong
    | OrderPolicySet
)
RulesEvent = RulesActivated | RulesRepeated | RulesRefused
Event = FirstEvent | LaterEvent | ReviewEvent | RefundEvent | RulesEvent
SmallNote = StateShown | AddressNoted | AskParked | DeadlineNoted | ClockNoted | RulesNoted
Note = OrderNoted | OrderKept | SmallNote


@dataclass(frozen=True, slots=True)
class State:
    """The tables, and an index over the deadlines.

    `orders` by order id, `receivers` by `pool|receiver key`, `reviews` by order id, `twins` by the id of the order that
    others are suspected to repeat, `deadlines` (when they are due) by `kind|order id|which`, `trims` (when) by
    `order id|trim id`, `refunds` by `order id|refund id`, `policies` by ORDERS, the active `rulebook`, `clock` (ms UTC,
    of the newest Tick, to the minute) by CLOCK.
    """

    orders: Memory[Seen]
    receivers: MutableMapping[str, Receiver]
    reviews: MutableMapping[str, Review]
    twins: MutableMapping[str, Twins]
    deadlines: MutableMapping[str, int]
    trims: MutableMapping[str, int]
    refunds: MutableMapping[str, RefundCase]
    policies: MutableMapping[str, OrderPolicy]
    rulebook: MutableMapping[str, ActiveRules]
    clock: MutableMapping[str, int]
    agenda: Agenda = field(default_factory=Agenda, init=False, compare=False)

    def remind(self, key: str, due_at: int) -> None:
        """Put a deadline."""
        self.deadlines[key] = due_at
        self.agenda.note(key, due_at)

    def since(self, at: int) -> int:
        """Give from when a time limit of something that happened at `at` counts.

        What comes late, or is replayed, has its whole time from when it came: it must not be over before it began.
        """
        return max(at, self.clock.get(CLOCK, 0))

    def policy(self) -> OrderPolicy:
        """Give the limits in force."""
        return order_policy.in_force(self.policies)


def evolve(state: State, fact: Event | Note) -> None:
    """Apply a fact."""
    match fact:
        case OrderCreated():
            state.orders[fact.order_id] = Seen(AWAIT_PAY, fact.at)
        case OrderNoted():
            _remember(state, fact)
        case OrderPaid():
            _pay(state, fact)
        case OrderRepeated():
            pass
        case OrderKept():
            _keep(state, fact)
        case StateShown() | AddressNoted() | AskParked() | DeadlineNoted() | ClockNoted() | RulesNoted():
            _take_note(state, fact)
        case _:
            _evolve_later(state, fact)


def _take_note(state: State, note: SmallNote) -> None:
    match note:
        case StateShown():
            seen = state.orders[note.order_id]
            state.orders[note.order_id] = replace(seen, updated_at=note.updated_at, rank=note.rank)
        case AddressNoted():
            state.orders[note.order_id] = replace(state.orders[note.order_id], address=note.address)
        case AskParked():
            seen = state.orders[note.order_id]
            parked = seen.rest if isinstance(seen.rest, Parked) else Parked()
            state.orders[note.order_id] = replace(seen, rest=replace(parked, asks=(*parked.asks, note.ask)))
        case DeadlineNoted():
            state.remind(note.key, note.due_at)
        case ClockNoted():
            state.clock[CLOCK] = note.at
        case RulesNoted():
            rules_active.evolve(state.rulebook, note)
        case _:
            assert_never(note)


def _evolve_later(state: State, fact: LaterEvent | ReviewEvent | RefundEvent | RulesEvent) -> None:
    """Apply what only few orders come to."""
    if isinstance(fact, ReviewEvent):
        review_state.evolve(state, fact)
    elif isinstance(fact, RefundEvent):
        refund_state.evolve(state, fact)
    elif isinstance(fact, OrderCancelled | CancelRequested | CancelConfirmed | RefundDue):
        _end(state, fact)
    elif not isinstance(fact, RulesEvent):
        _move_on(state, fact)


def _end(state: State, fact: OrderCancelled | CancelRequested | CancelConfirmed | RefundDue) -> None:
    """End an order, as far as it is in dedup's hands: what it waited with is not needed any more."""
    order_id = fact.order_id
    seen = state.orders[order_id]
    if isinstance(seen.rest, Waiting):
        _let_go(state, order_id)
    standing, refunded = Standing(fact.to_state), seen.refunded_minor
    if isinstance(fact, RefundDue):
        refunded += fact.paid_minor
        refund_state.owe(state, fact)
    state.orders[order_id] = replace(seen, standing=standing, rest=None, refunded_minor=refunded)


def _move_on(state: State, fact: LaterEvent) -> None:
    match fact:
        case OrderParked():
            _park(state, fact)
        case OrderReleased():
            state.orders[fact.order_id] = replace(state.orders[fact.order_id], standing=Standing(fact.to_state))
        case OrderChanged():
            review_state.forget_approvals(state, fact.order_id)
        case OrderTrimmed():
            state.trims[f"{fact.order_id}|{fact.trim_id}"] = fact.at
        case OrderUnpaidTooLong():
            state.deadlines.pop(f"{UNPAID}|{fact.order_id}|", None)
            if fact.cancel_at is not None:
                state.remind(f"{CANCEL}|{fact.order_id}|", fact.cancel_at)
        case OrderPolicySet():
            state.policies[order_policy.ORDERS] = fact.policy
        case OrderChangeRefused() | OrderExpedited() | OrderRuleMatched():
            pass
        case OrderCancelled() | CancelRequested() | CancelConfirmed() | RefundDue():
            _end(state, fact)
        case _:
            assert_never(fact)


def _pay(state: State, fact: OrderPaid) -> None:
    order_id = fact.order_id
    seen = state.orders[order_id]
    if isinstance(seen.rest, Waiting):
        _forget_payment(state, order_id)
    standing = PAID if fact.to_state == PAID else Standing.IN_REVIEW
    state.orders[order_id] = replace(seen, standing=standing, paid=True, paid_minor=fact.paid_minor)


def _keep(state: State, note: OrderKept) -> None:
    """Keep what an order will ask for, or let it go."""
    seen, waiting = state.orders[note.order_id], note.waiting
    if waiting is None:
        _let_go(state, note.order_id)
        state.orders[note.order_id] = replace(seen, rest=None)
        return
    address, goods = address_sum(waiting.ship_to), goods_sum(waiting.units)
    state.orders[note.order_id] = replace(seen, rest=waiting, address=address, goods=goods)


def _let_go(state: State, order_id: str) -> None:
    _forget_payment(state, order_id)
    review_state.forget(state, order_id)


def _forget_payment(state: State, order_id: str) -> None:
    """Drop the deadlines of an unpaid order."""
    state.deadlines.pop(f"{UNPAID}|{order_id}|", None)
    state.deadlines.pop(f"{CANCEL}|{order_id}|", None)


def _park(state: State, fact: OrderParked) -> None:
    seen = state.orders.get(fact.order_id)
    parked = seen.rest if seen is not None and isinstance(seen.rest, Parked) else Parked()
    if fact.kind == "pay":
        parked = replace(parked, paid_minor=fact.paid_minor)
    elif fact.kind == "cancel":
        parked = replace(parked, cancel_reason=fact.reason)
    state.orders[fact.order_id] = Seen(Standing.PARKED, rest=parked)


def _remember(state: State, note: OrderNoted) -> None:
    """Remember a receiver's order, and forget those too old to be compared with any that may still come."""
    seen = state.orders[note.order_id]
    state.orders[note.order_id] = Seen(
        seen.standing,
        seen.updated_at,
        seen.paid,
        seen.rest,
        note.rank,
        seen.paid_minor,
        seen.refunded_minor,
        note.vip_level,
        note.address,
        note.goods,
    )
    if not note.receiver_key:
        return
    key = f"{note.pool}|{note.receiver_key}"
    order = RecentOrder(note.created_at, note.order_id, note.skus)
    receiver = state.receivers.get(key)
    if receiver is None:
        state.receivers[key] = Receiver((order,))
        return
    others = [other for other in receiver.recent if other.order_id != note.order_id]
    recent = sorted([*others, order], key=_time)
    since = recent[-1].created_at - RECENT_WITHIN_MS
    kept = tuple(order for order in recent if order.created_at >= since)
    state.receivers[key] = Receiver(kept[-RECENT_ORDERS_PER_RECEIVER_MAX:])


def _time(order: RecentOrder) -> tuple[int, str]:
    return order.created_at, order.order_id
