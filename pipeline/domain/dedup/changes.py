"""What changes of an order that is known: what its platform shows again, its address, its units, its priority.

While it waits here, the order is changed here, and looked at again; once it holds stock, reservation is asked. Every
change is an event that says who, by which message, and what it was before; of personal fields, only that they changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, assert_never

from msgspec.structs import replace

from pipeline.domain import reasons
from pipeline.domain.dedup.doubts import Look
from pipeline.domain.dedup.field_changes import LINES, PAID, differences, lines_text, ship_to_of, with_address, without
from pipeline.domain.dedup.flow import Answer, Step, cancel_and_refund, go_on, noted, waiting_of
from pipeline.domain.dedup.notes import AddressNoted, OrderKept, OrderNoted, StateShown
from pipeline.domain.dedup.refunds import give_back
from pipeline.domain.dedup.values import RANKS, Review, Seen, Standing, Waiting, address_sum, goods_sum
from pipeline.domain.events import OrderRepeated, RefundDue
from pipeline.domain.order_commands import (
    ChangeAddress,
    ExpediteHold,
    ExpediteOrder,
    ReplaceAddress,
    TrimHold,
    TrimOrder,
)
from pipeline.domain.order_events import (
    Change,
    OrderChanged,
    OrderChangeRefused,
    OrderExpedited,
    OrderTrimmed,
    RefundRequested,
)
from pipeline.domain.orders import OrderStatus, SkuUnits, units_to_ship

if TYPE_CHECKING:
    from pipeline.domain.commands import SubmitOrder
    from pipeline.domain.dedup.state import State
    from pipeline.domain.orders import Order

ADDRESS = "ship_to"
CANCELLABLE = frozenset({Standing.AWAIT_PAY, Standing.IN_REVIEW, Standing.PAID})

Changing = (
    Answer
    | OrderRepeated
    | OrderNoted
    | OrderChanged
    | OrderChangeRefused
    | OrderExpedited
    | OrderTrimmed
    | RefundRequested
    | AddressNoted
    | StateShown
    | ReplaceAddress
    | TrimHold
    | ExpediteHold
)


class Changed(NamedTuple):
    """An order that waits, before and after a change."""

    seen: Seen
    before: Waiting
    after: Waiting
    fact: OrderChanged | OrderTrimmed | None
    pays: int | None = None


def repeated(seen: Seen, order_id: str, at: int, kind: str) -> list[Changing]:
    """Say that something is known, and where the order stands."""
    now = seen.standing
    return [OrderRepeated(order_id=order_id, at=at, from_state=now, to_state=now, kind=kind)]


def show_again(state: State, command: SubmitOrder, seen: Seen) -> list[Changing]:
    """Take what a known order shows: only a newer state than the known one counts."""
    order, at = command.order, command.at
    order_id, status, standing = order.internal_order_id, order.status, seen.standing
    again = repeated(seen, order_id, at, "submit")
    if (at, RANKS[status]) <= (seen.updated_at, seen.rank):
        return again
    answers = list[Changing]()
    if status is OrderStatus.CANCELLED:
        if standing in CANCELLABLE:
            answers += cancel_and_refund(state, command.pool, order_id, at, order.platform_status)
    elif isinstance(seen.rest, Waiting):
        answers = _show_waiting(state, command, seen, seen.rest)
    elif status is OrderStatus.PAID and not seen.paid:
        answers = pay_late(state, order_id, at, seen, order.paid_minor)
    elif standing is Standing.PAID:
        answers = _show_held(command, seen)
    return [*(answers or again), StateShown(order_id=order_id, updated_at=at, rank=RANKS[status])]


def pay_late(state: State, order_id: str, at: int, seen: Seen, paid_minor: int) -> list[Changing]:
    """Take money that came for an order that is cancelled: it is to go back."""
    if seen.standing not in {Standing.CANCELLED, Standing.CANCEL_REQUESTED}:
        return []
    due_at = at + state.policy().refund_ms
    return [RefundDue(order_id=order_id, at=at, from_state=seen.standing, paid_minor=paid_minor, due_at=due_at)]


def _show_waiting(state: State, command: SubmitOrder, seen: Seen, before: Waiting) -> list[Changing]:
    """Take what an order that waits shows by now."""
    order, at = command.order, command.at
    order_id, answers = order.internal_order_id, list[Changing]()
    pays = order.paid_minor if order.status is OrderStatus.PAID and not seen.paid else None
    if before.held and _asks_more(before, order):
        answers.append(OrderChangeRefused(order_id=order_id, at=at, kind="submit", reason=reasons.UNITS_ARE_HELD))
        order = replace(order, lines=before.order.lines if before.order is not None else ())
    changes = () if before.order is None else differences(before.order, order, is_paid=seen.paid)
    if not changes and pays is None:
        return answers
    after = replace(
        before,
        units=units_to_ship(order),
        ship_to=ship_to_of(order),
        order=order,
        envelope=command.envelope,
        pool=command.pool,
    )
    fact = _shown_changed(command, changes) if changes else None
    return answers + change(state, Changed(seen, before, after, fact, pays), at)


def _shown_changed(command: SubmitOrder, changes: tuple[Change, ...]) -> OrderChanged:
    """Say that a platform shows an order changed."""
    order = command.order
    return OrderChanged(
        order_id=order.internal_order_id,
        at=command.at,
        author=f"{order.channel}|{order.shop_id}",
        kind="submit",
        source=command.envelope.source,
        changes=changes,
    )


def _asks_more(before: Waiting, order: Order) -> bool:
    held = {unit.sku: unit.units for unit in before.units}
    return any(unit.units > held.get(unit.sku, 0) for unit in units_to_ship(order))


def change(state: State, changed: Changed, at: int) -> list[Changing]:
    """Change an order that waits, look at it again, and take it on as far as it may go."""
    before, after, order = changed.before, changed.after, changed.after.order
    answers = list[Changing]()
    if order is None:
        return answers
    order_id, review = order.internal_order_id, state.reviews.get(order.internal_order_id, Review())
    is_other = before.order is None or (before.order.receiver_key, before.units) != (order.receiver_key, after.units)
    if changed.fact is not None:
        answers += [changed.fact, noted(after, order, changed.seen.rank), *_follow(before, after, order_id, at)]
        review = replace(review, approved=())
    is_changed = changed.fact is not None
    look = Look(at, is_changed=is_changed, for_twins=is_changed and is_other)
    return answers + go_on(state, Step(order_id, changed.seen, after, review, look, changed.pays))


def _follow(before: Waiting, after: Waiting, order_id: str, at: int) -> list[Changing]:
    """Tell reservation of a change, where it has taken the order's units off sale already."""
    if not before.held:
        return []
    answers = list[Changing]()
    left = {unit.sku: unit.units for unit in after.units}
    less = [SkuUnits(unit.sku, unit.units - left.get(unit.sku, 0)) for unit in before.units]
    dropped = tuple(unit for unit in less if unit.units > 0)
    if dropped:
        reason = LINES
        answers.append(TrimHold(at=at, pool=after.pool, order_id=order_id, units=dropped, reason=reason))
    if before.ship_to != after.ship_to:
        answers.append(ReplaceAddress(at=at, pool=after.pool, order_id=order_id, ship_to=after.ship_to))
    return answers


def _show_held(command: SubmitOrder, seen: Seen) -> list[Changing]:
    """Take what an order shows that went on: its check sums tell whether it changed."""
    order, at = command.order, command.at
    order_id, waiting = order.internal_order_id, waiting_of(command)
    changes = list[Change]()
    moved = bool(seen.address) and address_sum(waiting.ship_to) != seen.address
    if moved:
        changes.append(Change(ADDRESS, "", ""))
    if seen.goods and goods_sum(waiting.units) != seen.goods:
        changes.append(Change(LINES, "", lines_text(order)))
    if seen.paid_minor and order.status is OrderStatus.PAID and order.paid_minor != seen.paid_minor:
        changes.append(Change(PAID, str(seen.paid_minor), str(order.paid_minor)))
    if not changes:
        return []
    fact = _shown_changed(command, tuple(changes))
    replaced = ReplaceAddress(at=at, pool=command.pool, order_id=order_id, ship_to=waiting.ship_to)
    return [fact, noted(waiting, order, RANKS[order.status]), *([replaced] if moved else [])]


# --- what is asked of a known order ---


def change_order(state: State, command: ChangeAddress | ExpediteOrder | TrimOrder, seen: Seen) -> list[Changing]:
    """Change an order, as far as it may be changed."""
    match command:
        case ChangeAddress():
            return _change_address(state, command, seen)
        case ExpediteOrder():
            return _expedite(command, seen)
        case TrimOrder():
            return _trim(state, command, seen)
        case _:
            assert_never(command)


def _change_address(state: State, command: ChangeAddress, seen: Seen) -> list[Changing]:
    """Send an order somewhere else."""
    order_id, at, to = command.order_id, command.at, command.ship_to
    author, rest = command.author, seen.rest
    shown = StateShown(order_id=order_id, updated_at=at, rank=seen.rank)
    if at < seen.updated_at or address_sum(to) == seen.address:
        return repeated(seen, order_id, at, "address")
    if isinstance(rest, Waiting) and rest.order is not None:
        order = with_address(rest.order, to, command.receiver_key)
        changes = differences(rest.order, order, is_paid=False)
        fact = OrderChanged(order_id=order_id, at=at, author=author, kind="address", changes=changes)
        after = replace(rest, ship_to=to, order=order)
        return [*change(state, Changed(seen, rest, after, fact), at), shown]
    if isinstance(rest, Waiting) or seen.standing is Standing.PAID:
        changes = (Change(ADDRESS, "", ""),)
        fact = OrderChanged(order_id=order_id, at=at, author=author, kind="address", changes=changes)
        if isinstance(rest, Waiting):
            return [fact, OrderKept(order_id=order_id, waiting=replace(rest, ship_to=to)), shown]
        noted_address = AddressNoted(order_id=order_id, address=address_sum(to))
        return [fact, noted_address, ReplaceAddress(at=at, pool=command.pool, order_id=order_id, ship_to=to), shown]
    return [OrderChangeRefused(order_id=order_id, at=at, kind="address", reason=seen.standing)]


def _expedite(command: ExpediteOrder, seen: Seen) -> list[Changing]:
    """Let an order go before others."""
    order_id, at, priority, rest = command.order_id, command.at, command.priority, seen.rest
    fact = OrderExpedited(order_id=order_id, at=at, priority=priority)
    follow = ExpediteHold(at=at, pool=command.pool, order_id=order_id, priority=priority)
    if isinstance(rest, Waiting):
        if rest.priority == priority:
            return repeated(seen, order_id, at, "expedite")
        kept = OrderKept(order_id=order_id, waiting=replace(rest, priority=priority))
        return [fact, kept, *([follow] if rest.held else [])]
    if seen.standing is Standing.PAID:
        return [fact, follow]
    return [OrderChangeRefused(order_id=order_id, at=at, kind="expedite", reason=seen.standing)]


def _trim(state: State, command: TrimOrder, seen: Seen) -> list[Changing]:
    """Drop a part of an order, once for each trim id. What was paid for it is to go back, where that is known here."""
    order_id, at, rest = command.order_id, command.at, seen.rest
    if f"{order_id}|{command.trim_id}" in state.trims:
        return repeated(seen, order_id, at, "trim")
    fact = OrderTrimmed(
        order_id=order_id,
        at=at,
        trim_id=command.trim_id,
        units=sum([unit.units for unit in command.units]),
        reason=command.reason,
    )
    if seen.standing is Standing.PAID:
        drop = TrimHold(
            at=at,
            pool=command.pool,
            order_id=order_id,
            units=command.units,
            reason=command.reason,
            trim_id=command.trim_id,
        )
        return [fact, drop]
    if not isinstance(rest, Waiting) or rest.order is None:
        return [OrderChangeRefused(order_id=order_id, at=at, kind="trim", reason=seen.standing)]
    order, taken, value_minor = without(rest.order, command.units)
    if not taken:
        return [OrderChangeRefused(order_id=order_id, at=at, kind="trim", reason=reasons.NOT_OF_THE_ORDER)]
    fact = replace(fact, units=taken)
    after = replace(rest, units=units_to_ship(order), order=order)
    if not after.units:
        return [fact, *cancel_and_refund(state, command.pool, order_id, at, command.reason)]
    changes = (Change(LINES, lines_text(rest.order), lines_text(order)),)
    changed = OrderChanged(order_id=order_id, at=at, author=command.author, kind="trim", changes=changes)
    money = give_back(state, command, seen, value_minor)
    return [fact, *money, *change(state, Changed(seen, rest, after, changed), at)]
