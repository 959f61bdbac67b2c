"""An order's place: what its events say of it so far, as a flat mapping of texts. Pure.

offset, partition          the last event that is in it
state, at, event, stage    where the order stands; its last event: when (ms UTC), what, from which stage
channel, shop_id, …        what the order is, as far as events have said it
stage:<stage>              the last state that a stage gave it
part:<fulfilment order>    the last state of a part of it
carrier:<…>, waybill:<…>, warehouse:<…>   of a part

Redis keeps a place as the texts that it folds from, see `entry` and `folded`: adding one needs nothing of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from sinks.rows import TimeMs

if TYPE_CHECKING:
    from collections.abc import Iterable

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


class PlaceFacts(msgspec.Struct, gc=False, rename={"to_state": "to"}):
    """What of an event its order's place is made of, in the order in which `entry` writes it."""

    stage: str
    event: Annotated[str, msgspec.Meta(min_length=1)]
    at: TimeMs
    to_state: str = ""
    channel: str = ""
    shop_id: str = ""
    platform_order_id: str = ""
    pool: str = ""
    currency: str = ""
    fulfilment_id: str = ""
    carrier: str = ""
    waybill_no: str = ""
    warehouse: str = ""
    order_id: str = ""


_decode = msgspec.json.Decoder(PlaceFacts).decode
_encode = msgspec.json.Encoder().encode


def read(value: bytes | None) -> PlaceFacts | None:
    """Read a record of order.events; None where it is no event."""
    try:
        return _decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def entry(facts: PlaceFacts, partition: int, offset: int) -> bytes:
    """Give what an event adds to its order's place, as one line of JSON. The order's id is left to the key."""
    return _encode(
        (
            facts.stage,
            facts.event,
            facts.at,
            facts.to_state,
            facts.channel,
            facts.shop_id,
            facts.platform_order_id,
            facts.pool,
            facts.currency,
            facts.fulfilment_id,
            facts.carrier,
            facts.waybill_no,
            facts.warehouse,
            partition,
            offset,
        )
    )


def folded(place: Place) -> bytes:
    """Give a whole place as one entry, which counts as the events that are in it."""
    return _encode(place)


def place_of(entries: Iterable[str]) -> Place:
    """Fold texts, each of one or more lines, in the order in which they were added."""
    place: Place = {}
    for text in entries:
        for line in text.split("\n"):
            told = msgspec.json.decode(line)
            if isinstance(told, dict):
                place |= told
            else:
                *facts, partition, offset = told
                fold(place, PlaceFacts(*facts), partition, offset)
    return place


def fold(place: Place, facts: PlaceFacts, partition: int, offset: int) -> None:
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
