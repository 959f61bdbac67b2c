"""An order's place, told once more from its events: what the projection in Redis must say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ORDER_EVENTS = frozenset(
    {
        *("OrderParked", "OrderCreated", "OrderPaid", "OrderHeldForReview", "OrderReleased"),
        *("OrderCancelled", "RefundDue"),
        *("HoldPlaced", "HoldRefused", "OrderRouted", "RouteFailed"),
    }
)
"""The events that say where the order stands as a whole."""
OF_THE_ORDER = ("channel", "shop_id", "platform_order_id", "pool", "currency")
OF_A_PART = (("carrier", "carrier"), ("waybill", "waybill_no"), ("warehouse", "warehouse"))
STAGES_OF_PARTS = ("waybill", "tracking")


def tell(place: dict[str, str], event: Mapping[str, Any], partition: int, offset: int) -> None:
    """Put an event into its order's place. Events come in the order of the log."""
    stage, to, part = event.get("stage", ""), event.get("to", ""), event.get("fulfilment_id", "")
    place["partition"], place["offset"] = str(partition), str(offset)
    place["event"], place["stage"], place["at"] = event.get("event", ""), stage, str(event.get("at", 0))
    if to:
        place[f"stage:{stage}"] = to
        if event.get("event") in ORDER_EVENTS:
            place["state"] = to
    for name in OF_THE_ORDER:
        if value := event.get(name):
            place[name] = value
    if part:
        if to and stage in STAGES_OF_PARTS:
            place[f"part:{part}"] = to
        for name, field in OF_A_PART:
            if value := event.get(field):
                place[f"{name}:{part}"] = value
