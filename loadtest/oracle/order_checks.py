"""Order: what each stage says of an order, or of a part of it, follows the stage's input and moves as it may."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from loadtest.oracle.checks import Check
from loadtest.oracle.history import EVENTS
from loadtest.oracle.model.tracking import MOVES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loadtest.oracle.history import Fact, History

GET = frozenset({"HoldPlaced", "HoldRegained", "HoldFilled"})
UNROUTED = frozenset({"tentative", "waiting", "frozen", "expired"})
LIFECYCLE = GET | {"HoldRefused", "HoldConsumed", "HoldReleased", "HoldExpired", "HoldTrimmed"}
"""The events by which an order gets units, and those by which it gives them up."""
Moves = frozenset[tuple[str, str]]
BEGIN: Mapping[str, tuple[str, ...]] = {
    "OrderCreated": ("", "parked"),
    "OrderParked": ("", "parked"),
    "HoldPlaced": ("",),
    "HoldRefused": ("",),
    "OrderRouted": ("",),
    "RouteFailed": ("",),
    "WaybillClaimed": ("",),
    "ShipmentTracked": ("",),
}
"""The events that begin something, and the states before it in which they may."""
STAY = frozenset(
    {
        *("OrderRepeated", "OrderUnpaidTooLong", "ReportIgnored"),
        *("OrderReviewedAgain", "HoldOverdue", "ShipmentSilent"),
    }
)
"""Events that say where something stands, and leave it there."""
LEGAL: Mapping[str, Moves] = {
    "order.commands": frozenset(
        {
            ("await_pay", "paid"),
            ("await_pay", "in_review"),
            ("await_pay", "cancelled"),
            ("paid", "in_review"),
            ("paid", "cancel_requested"),
            *(("in_review", to) for to in ("in_review", "await_pay", "paid", "cancelled")),
            *((state, "cancelled") for state in ("paid", "cancel_requested")),
            *((state, "refund_due") for state in ("cancelled", "cancel_requested")),
        }
    ),
    "stock.commands": frozenset(
        {
            ("locked", "cancelling"),
            *((state, to) for state in ("tentative", "expired") for to in ("locked", "waiting", "frozen")),
            *((state, "locked") for state in ("waiting", "frozen")),
            *((state, state) for state in ("tentative", "waiting", "frozen")),
            *(("frozen", "waiting"), ("tentative", "expired")),
            *((state, "refund_due") for state in ("expired", "refused")),
            *((state, "released") for state in ("tentative", "waiting", "frozen", "expired")),
        }
    ),
    "routing.commands": frozenset({("routed", "cancelling")}),
    "waybill.commands": frozenset(
        {
            *((state, state) for state in ("claimed", "unknown", "void_pending")),
            *(("claimed", to) for to in ("unknown", "issued", "manual", "void_pending", "cancelled")),
            *(("unknown", to) for to in ("claimed", "issued", "manual", "void_pending", "cancelled")),
            *(("manual", to) for to in ("issued", "void_pending")),
            ("issued", "void_pending"),
            *(("void_pending", to) for to in ("cancelled", "collected", "unknown", "manual")),
            ("", "cancelled"),
        }
    ),
    "tracking.commands": frozenset(
        {
            *((status, to) for status, moves in MOVES.items() for to in moves.values()),
            *((status, "cancelled") for status in ("", "waiting", "exception")),
        }
    ),
}
OF_PARTS = frozenset({"waybill.commands", "tracking.commands"})
ASIDE: Mapping[str, frozenset[str]] = {
    "order.commands": frozenset(
        {
            *(f"Review{what}" for what in ("Claimed", "LeaseExpired", "Overdue", "Released", "Rejected", "Ignored")),
            *(f"Refund{what}" for what in ("Requested", "Decided", "Paid", "Overdue", "Ignored")),
            *("OrderChanged", "OrderChangeRefused", "OrderExpedited", "OrderTrimmed", "OrderRuleMatched"),
        }
    ),
    "stock.commands": frozenset(
        {
            *("HoldRepeated", "HoldConsumed", "OrderCancelled"),
            *("TrimRefused", "HoldExpedited", "HoldReaddressed", "HoldDecided"),
            *("StockAdjusted", "StockFeedRefused"),
        }
    ),
    "routing.commands": frozenset(
        {
            *("AllocationSettled", "RouteRepeated", "RouteExpedited", "AddressChangeRefused"),
            *("RerouteStarted", "PartRerouted", "RerouteAbandoned", "ShelfStocked"),
            *("PartReleased", "ItemScanned", "ScanMismatched", "PartScannedOut"),
        }
    ),
    "waybill.commands": frozenset({"AnswerIgnored"}),
    "tracking.commands": frozenset({"ReportParked"}),
}
"""Events that move nothing but parts, holds for review or refunds, which other checks follow."""


def _of_stages(history: History) -> Iterator[tuple[str, str, tuple[int, int, int], Fact]]:
    """Give topic, who it is about, the place of its cause and its own place there, for each event of an order."""
    for order_id, facts in history.facts_by_order.items():
        for fact in facts:
            topic, partition, offset = fact.cause.rsplit("-", 2)
            if topic in LEGAL:
                who = fact.fulfilment_id or order_id if topic in OF_PARTS else order_id
                index = fact.event_id.rpartition("-")[2]
                yield topic, who, (int(partition), int(offset), int(index)), fact


def _backwards(history: History) -> Iterator[str]:
    last: dict[tuple[str, str], tuple[int, int, int]] = {}
    for topic, who, place, fact in _of_stages(history):
        before = last.get((topic, who), (place[0], -1, -1))
        if place < before or place[0] != before[0]:
            yield f"event {fact.event_id}: after one of {who} that {topic} caused later, at {before}"
        last[topic, who] = place


def _illegal(history: History) -> Iterator[str]:
    state: dict[tuple[str, str], str] = {}
    for topic, who, _, fact in _of_stages(history):
        now = state.get((topic, who), "")
        if fact.event in ASIDE.get(topic, ()) or _is_of_a_part(fact):
            continue
        if fact.event in BEGIN:
            legal = now in BEGIN[fact.event]
        elif fact.event in STAY:
            legal = fact.came_from == fact.to == now
        else:
            legal = fact.came_from == now and (now, fact.to) in LEGAL[topic]
        if not legal:
            yield f"event {fact.event_id}: {fact.event} of {who} from {fact.came_from!r} to {fact.to!r}, is {now!r}"
        state[topic, who] = fact.to


def _is_of_a_part(fact: Fact) -> bool:
    """Say whether units were released of a hold that routing has; of one that it has not the whole hold moves."""
    return fact.event == "HoldReleased" and fact.came_from not in UNROUTED


def _resurrected(history: History) -> Iterator[str]:
    """Follow each order's hold through its events, in the order of the log."""
    for order_id, facts in history.facts_by_order.items():
        answered, left = "", Counter[str]()
        for fact in facts:
            if fact.event not in LIFECYCLE:
                continue
            if fact.event in {"HoldPlaced", "HoldRefused"}:
                if answered:
                    yield f"order {order_id}: {fact.event} ({fact.event_id}) after {answered}"
                answered = fact.event
            if fact.event in GET:
                left.update(dict(fact.body["units"]))
            elif fact.event != "HoldRefused":
                left.subtract(dict(fact.body["units"]))
            if fact.event != "HoldRefused" and (answered != "HoldPlaced" or min(left.values(), default=0) < 0):
                yield f"order {order_id}: {fact.event} ({fact.event_id}) of units that are not held"


def _count(history: History) -> int:
    return sum(len(facts) for facts in history.facts_by_order.values())


CHECKS = (
    Check(
        "events in order",
        "what a stage says of an order follows the order of the stage's input",
        (EVENTS,),
        _count,
        _backwards,
        invariant="I7",
        anytime=True,
    ),
    Check(
        "legal moves",
        "every state follows from the one before it by a legal move; no parcel goes backwards",
        (EVENTS,),
        _count,
        _illegal,
        invariant="I7",
        anytime=True,
    ),
    Check(
        "hold lifecycle",
        "a hold is answered once, and nothing is settled that is not held",
        (EVENTS,),
        lambda history: len(history.named("HoldPlaced", "HoldRefused")),
        _resurrected,
        invariant="I3",
        anytime=True,
    ),
)
