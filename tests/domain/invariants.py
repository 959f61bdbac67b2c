"""What must be true of each stage's tables after every command, worked out afresh from what the tables hold."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pipeline.domain.dedup.agenda import Agenda
from pipeline.domain.dedup.values import Parked, RefundState, Standing, Waiting
from pipeline.domain.routing.state import SHIPPED
from pipeline.domain.routing_events import CountSettled
from pipeline.domain.routing_floor_events import PartRerouted
from pipeline.domain.shipping_events import AllocationSettled, OrderRouted, ShelfStocked
from pipeline.domain.tracking.state import LEFT, PARKED_REPORTS_MAX, Status
from pipeline.domain.waybill.state import AttemptState
from tests.domain.stock_invariants import check_reservation

if TYPE_CHECKING:
    from pipeline.domain.dedup import deciding as dedup
    from pipeline.domain.routing import deciding as routing
    from pipeline.domain.tracking import deciding as tracking
    from pipeline.domain.waybill import deciding as waybill
    from tests.domain.folding import Folded


def check_invariants(folded: Folded) -> None:
    """Check a stage's invariants."""
    checks = {
        "dedup": check_dedup,
        "reservation": check_reservation,
        "routing": check_routing,
        "waybill": check_waybill,
        "tracking": check_tracking,
    }
    if folded.stage.name in checks:
        checks[folded.stage.name](folded)


WAITS = {Standing.AWAIT_PAY, Standing.IN_REVIEW}


def check_dedup(folded: Folded) -> None:
    """Check that what waits is kept, and nothing else; that a review has holds; that no more goes back than came."""
    state: dedup.State = folded.state
    for order_id, seen in state.orders.items():
        assert isinstance(seen.rest, Parked) == (seen.standing is Standing.PARKED), order_id
        assert isinstance(seen.rest, Waiting) == (seen.standing in WAITS), order_id
        review = state.reviews.get(order_id)
        holds = review.holds if review is not None else ()
        assert bool(holds) == (seen.standing is Standing.IN_REVIEW), order_id
        assert len({hold.reason for hold in holds}) == len(holds)
        assert review is None or seen.standing in WAITS, order_id
        back = sum(
            case.amount_minor
            for key, case in state.refunds.items()
            if key.startswith(f"{order_id}|") and case.state is not RefundState.REJECTED
        )
        assert seen.refunded_minor == back
        assert back <= seen.paid_minor or not seen.paid
    for receiver in state.receivers.values():
        assert list(receiver.recent) == sorted(receiver.recent, key=lambda order: (order.created_at, order.order_id))
        assert all(order.order_id in state.orders for order in receiver.recent)
    check_deadlines(state)


def check_deadlines(state: dedup.State) -> None:
    """Check that each deadline is of something that is still open, and that the index has them all."""
    for key in state.deadlines:
        kind, order_id, which = key.split("|", 2)
        seen, review = state.orders[order_id], state.reviews.get(order_id)
        match kind:
            case "unpaid" | "cancel":
                assert seen.standing in WAITS, key
                assert not seen.paid, key
            case "refund":
                assert not state.refunds[f"{order_id}|{which}"].is_settled(), key
            case _:
                assert review is not None, key
                assert which in {hold.reason for hold in review.holds}, key
    for twin, twins in state.twins.items():
        for suspect in twins.suspects:
            assert twin in {hold.twin for hold in state.reviews[suspect].holds}
    afresh = Agenda().due(state.deadlines, 2**62, 10_000)
    assert state.agenda.due(state.deadlines, 2**62, 10_000) == afresh
    assert len(afresh) == len(state.deadlines)


def check_routing(folded: Folded) -> None:
    """Check that allocated is what the outstanding parts take; on hand is what came less what shipped."""
    state: routing.State = folded.state
    allocated: Counter[tuple[str, str]] = Counter()
    for route in state.routes.values():
        for outstanding in route.outstanding:
            allocated.update({(outstanding.warehouse, unit.sku): unit.units for unit in outstanding.units})
            move = state.moves.get(outstanding.fulfilment_id)
            for part in () if move is None else move.parts:
                if part.warehouse != outstanding.warehouse:
                    allocated.update({(part.warehouse, unit.sku): unit.units for unit in part.units})
    on_hand = _on_shelves(folded)
    for key, shelf in state.shelves.items():
        _, warehouse, sku = key.split("|")
        assert shelf.allocated == allocated[warehouse, sku], key
        assert shelf.on_hand == on_hand[warehouse, sku], key
    check_floor(state)


def _on_shelves(folded: Folded) -> Counter[tuple[str, str]]:
    """Sum what came to each shelf, and what counts put right, less what shipped."""
    on_hand: Counter[tuple[str, str]] = Counter()
    parts = {}
    for fact in folded.facts:
        match fact:
            case ShelfStocked():
                on_hand.update({(fact.warehouse, unit.sku): unit.units for unit in fact.units})
            case OrderRouted():
                parts.update({part.fulfilment_id: part for part in fact.parts})
            case PartRerouted():
                parts.update({part.fulfilment_id: part for part in fact.new_parts})
            case CountSettled():
                on_hand[fact.warehouse, fact.sku] += fact.change_units * fact.applied
            case AllocationSettled() if fact.to_state == SHIPPED:
                part = parts[fact.fulfilment_id]
                on_hand.subtract({(part.warehouse, unit.sku): unit.units for unit in part.units})
    return on_hand


def check_floor(state: routing.State) -> None:
    """Keep of the floor, of moves and of addresses only what is about parts that are outstanding."""
    outstanding = {part.fulfilment_id: order for order, route in state.routes.items() for part in route.outstanding}
    assert state.floor.keys() <= outstanding.keys()
    assert state.moves.keys() <= outstanding.keys()
    assert state.addresses.keys() <= set(outstanding.values())
    for name, waiting in state.floor.items():
        assert name in state.present.of(state.floor, f"{waiting.pool}|{waiting.warehouse}")


def check_waybill(folded: Folded) -> None:
    """Keep what the next call or request needs, and nothing that none needs."""
    state: waybill.State = folded.state
    for key, attempt in state.attempts.items():
        needed = attempt.state in {AttemptState.CLAIMED, AttemptState.UNKNOWN, AttemptState.VOIDING}
        settled = attempt.state in {AttemptState.ISSUED, AttemptState.COLLECTED, AttemptState.CANCELLED}
        assert not needed or attempt.fulfilment is not None, key
        assert not settled or (attempt.fulfilment is None and attempt.ship_to is None), key
        assert attempt.waybill_no or attempt.state not in {AttemptState.ISSUED, AttemptState.COLLECTED}, key


def check_tracking(folded: Folded) -> None:
    """Keep a parcel's units until it leaves, and reports until their parcel comes."""
    state: tracking.State = folded.state
    for key, shipment in state.shipments.items():
        if shipment.status in LEFT:
            assert not shipment.units, key
        if shipment.status is Status.WAITING:
            assert shipment.units, key
        assert key not in state.parked
        assert not shipment.alarm_at or not shipment.is_settled(), key
    assert all(0 < len(parked.reports) <= PARKED_REPORTS_MAX for parked in state.parked.values())
