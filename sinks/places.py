"""An order's place: what its events say of it so far, as a flat mapping of texts. Pure.

offset, partition          the last event that is in it
state, at, event, stage    where the order stands; its last event: when (ms UTC), what, from which stage
channel, shop_id, …        what the order is, as far as events have said it
stage:<stage>              the last state that a stage gave it
part:<fulfilment order>    the last state of a part of it
carrier:<…>, waybill:<…>, warehouse:<…>   of a part
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sinks.rows import EventFacts

Place = dict[str, str]

ORDER_STATE_EVENTS = frozenset(
    {
        "OrderParked",
        "OrderCreated",
        "OrderPaid",
        "OrderHeldForReview",
        "OrderReleased",
        "OrderCancelled",
        "RefundDue",
        "HoldPlaced",
        "HoldRefused",
        "OrderRouted",
        "RouteFailed",
    }
)
"""The events whose `to` is the order's state; that of the others is a part's, or repeats what was known.
schema/2_orders.sql has the same list."""
PART_STAGES = frozenset({"waybill", "tracking"})
_NAMES = ("channel", "shop_id", "platform_order_id", "pool", "currency")


def fold(place: Place, facts: EventFacts, partition: int, offset: int) -> None:
    """Put an event into its order's place. Events come in the order of the log."""
    place |= {
        "partition": str(partition),
        "offset": str(offset),
        "event": facts.event,
        "stage": facts.stage,
        "at": str(facts.at),
    }
    if facts.to_state:
        place[f"stage:{facts.stage}"] = facts.to_state
        if facts.event in ORDER_STATE_EVENTS:
            place["state"] = facts.to_state
    for name in _NAMES:
        value = getattr(facts, name)
        if value:
            place[name] = value
    part = facts.fulfilment_id
    if part:
        if facts.to_state and facts.stage in PART_STAGES:
            place[f"part:{part}"] = facts.to_state
        if facts.carrier:
            place[f"carrier:{part}"] = facts.carrier
        if facts.waybill_no:
            place[f"waybill:{part}"] = facts.waybill_no
        if facts.warehouse:
            place[f"warehouse:{part}"] = facts.warehouse
