"""The events: what happened to an order, in the past tense. All go to order.events; state is nothing but their fold.

On the wire an event is one flat JSON object. The engine puts `id`, `stage` and `cause` in front:

    {"id": "stock.commands-2-1042-0", "stage": "reservation", "cause": "stock.commands-2-1042", "event": "HoldPlaced",
     "order_id": "…", "at": 1490000000000, "from": "paid", "to": "locked", "rule_version": null, …facts of this event}

`cause` is the record that the stage answered (topic-partition-offset), `id` that and the event's place in the answer, so
the same record always gives the same ids. `at` is event time in milliseconds UTC. No event carries personal data.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.orders import SkuUnits


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=True, rename={"from_state": "from", "to_state": "to"}):
    """A fact about an order (or, with an empty order id, about stock)."""

    order_id: str = ""
    at: int
    from_state: str = ""
    to_state: str = ""
    rule_version: str | None = None


# --- ingest ---


class OrderReceived(Event, kw_only=True):
    """A payload was understood. It may show an order for the first time or once more."""

    to_state: str = "received"
    channel: str
    shop_id: str
    platform_order_id: str
    pool: str
    kind: str
    """submit, pay or cancel."""


# --- dedup ---


class OrderCreated(Event, kw_only=True):
    """An order was seen for the first time."""

    from_state: str = "received"
    to_state: str = "await_pay"
    channel: str
    shop_id: str
    platform_order_id: str
    pool: str
    lines: int
    units: int
    paid_minor: int
    currency: str


class OrderPaid(Event, kw_only=True):
    """An order is paid and may go on."""

    from_state: str = "await_pay"
    to_state: str = "paid"
    paid_minor: int


class OrderRepeated(Event, kw_only=True):
    """Something known was said again (a resubmission, a payment, a cancellation); `to` is where the order stands."""

    kind: str


class OrderParked(Event, kw_only=True):
    """A payment or a cancellation came before its order."""

    to_state: str = "parked"
    kind: str


class OrderHeldForReview(Event, kw_only=True):
    """A person must decide."""

    to_state: str = "in_review"
    reason: str
    evidence: str


class OrderCancelled(Event, kw_only=True):
    """An order was cancelled before it held stock, or all its parts were."""

    to_state: str = "cancelled"
    reason: str


class CancelRequested(Event, kw_only=True):
    """A cancellation goes after an order that is already on its way."""

    reason: str


class RefundDue(Event, kw_only=True):
    """Money came for an order that was cancelled."""

    from_state: str = "cancelled"
    to_state: str = "refund_due"
    paid_minor: int


# --- reservation ---


class HoldPlaced(Event, kw_only=True):
    """All units of the order are held."""

    from_state: str = "paid"
    to_state: str = "locked"
    pool: str
    units: tuple[SkuUnits, ...]


class HoldRefused(Event, kw_only=True):
    """Nothing is held: `short` names what was missing (the first few)."""

    from_state: str = "paid"
    to_state: str = "refused"
    pool: str
    reason: str
    short: tuple[SkuUnits, ...]


class HoldRepeated(Event, kw_only=True):
    """A hold was asked for, consumed or released again: `answer` is the first one, and nothing changed."""

    answer: str


class HoldConsumed(Event, kw_only=True):
    """The units of a fulfilment order left the network."""

    from_state: str = "locked"
    to_state: str = "consumed"
    pool: str
    fulfilment_id: str
    units: tuple[SkuUnits, ...]


class HoldReleased(Event, kw_only=True):
    """The units of a fulfilment order are free again."""

    from_state: str = "locked"
    to_state: str = "released"
    pool: str
    fulfilment_id: str
    units: tuple[SkuUnits, ...]
    reason: str


class WarehouseRegistered(Event, kw_only=True):
    """A warehouse joined the network."""

    pool: str
    feed_id: str
    warehouse: str
    latitude: float
    longitude: float


class StockReceived(Event, kw_only=True):
    """Goods arrived at a warehouse."""

    pool: str
    feed_id: str
    warehouse: str
    units: tuple[SkuUnits, ...]


class StockAdjusted(Event, kw_only=True):
    """A warehouse corrected what it has."""

    pool: str
    feed_id: str
    warehouse: str
    sku: str
    change_units: int
    reason: str


class StockFeedRepeated(Event, kw_only=True):
    """A feed id came again and counted once."""

    pool: str
    feed_id: str


class StockFeedRefused(Event, kw_only=True):
    """A correction would take units that are held: a person must decide what gives way."""

    pool: str
    feed_id: str
    warehouse: str
    sku: str
    change_units: int
    reason: str


# --- routing ---


class RoutePart(msgspec.Struct, frozen=True, kw_only=True):
    """What one warehouse ships of an order."""

    fulfilment_id: str
    warehouse: str
    units: tuple[SkuUnits, ...]


class RouteScore(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How one candidate compared: kilometres to the receiver, and how many of the order's units it could ship."""

    warehouse: str
    distance_km: float
    units_free: int


class OrderRouted(Event, kw_only=True):
    """Warehouses were chosen; `scores` holds every candidate, nearest first."""

    from_state: str = "locked"
    to_state: str = "routed"
    pool: str
    parts: tuple[RoutePart, ...]
    scores: tuple[RouteScore, ...]


class RouteFailed(Event, kw_only=True):
    """No warehouses could ship the order; its hold is released."""

    from_state: str = "locked"
    to_state: str = "route_failed"
    pool: str
    units: tuple[SkuUnits, ...]
    scores: tuple[RouteScore, ...]


class RouteRepeated(Event, kw_only=True):
    """Something known was asked of routing again: nothing changed."""

    kind: str


class AllocationSettled(Event, kw_only=True):
    """A fulfilment order's units left the shelves, or stay on them."""

    from_state: str = "allocated"
    pool: str
    fulfilment_id: str


class ShelfStocked(Event, kw_only=True):
    """A warehouse's shelf changed."""

    pool: str
    warehouse: str
    units: tuple[SkuUnits, ...]


class WarehouseOpened(Event, kw_only=True):
    """A warehouse takes part in routing."""

    pool: str
    warehouse: str
    latitude: float
    longitude: float


# --- waybill ---


class WaybillClaimed(Event, kw_only=True):
    """The intent to get a waybill is on record, under the key of all calls for it."""

    from_state: str = "planned"
    to_state: str = "claimed"
    fulfilment_id: str
    warehouse: str
    carrier: str
    key: str


class WaybillUnknown(Event, kw_only=True):
    """A call ended in a way that nobody knows; a query follows."""

    to_state: str = "unknown"
    fulfilment_id: str
    carrier: str
    key: str
    tries: int
    reason: str


class WaybillRetried(Event, kw_only=True):
    """The carrier proved that it has no such order: the same key is sent again."""

    from_state: str = "unknown"
    to_state: str = "claimed"
    fulfilment_id: str
    carrier: str
    key: str
    tries: int


class WaybillIssued(Event, kw_only=True):
    """A carrier gave a waybill number."""

    to_state: str = "issued"
    fulfilment_id: str
    warehouse: str
    carrier: str
    key: str
    waybill_no: str


class WaybillRefused(Event, kw_only=True):
    """A carrier will not ship it, or too many tries ended in nothing: a person must decide."""

    to_state: str = "manual"
    fulfilment_id: str
    carrier: str
    key: str
    reason: str


class VoidRequested(Event, kw_only=True):
    """A waybill is to be voided."""

    to_state: str = "void_pending"
    fulfilment_id: str
    carrier: str
    reason: str


class FulfilmentCancelled(Event, kw_only=True):
    """A fulfilment order will not ship, for certain."""

    to_state: str = "cancelled"
    fulfilment_id: str
    parts: int
    reason: str


class CancelRefused(Event, kw_only=True):
    """A fulfilment order could not be stopped any more."""

    fulfilment_id: str
    reason: str


class AnswerIgnored(Event, kw_only=True):
    """A carrier's answer, or a request, changed nothing: it was known, or it is about a call that is settled."""

    fulfilment_id: str
    reason: str


# --- tracking ---


class ShipmentTracked(Event, kw_only=True):
    """A parcel is being followed: the last stage knows the order."""

    from_state: str = "issued"
    to_state: str = "waiting"
    fulfilment_id: str
    carrier: str
    warehouse: str
    waybill_no: str
    parts: int


class ShipmentMoved(Event, kw_only=True):
    """A parcel moved; `from` and `to` are tracking states. `outbound`: this was the first sign that it left its warehouse."""

    fulfilment_id: str
    carrier: str
    waybill_no: str
    report_id: str
    code: str
    place: str
    parts: int
    outbound: bool


class ReportParked(Event, kw_only=True):
    """A report came before its shipment."""

    fulfilment_id: str
    report_id: str
    code: str


class ReportIgnored(Event, kw_only=True):
    """A report was known, or is no legal move from where the parcel is; `to` is where it stays."""

    fulfilment_id: str
    report_id: str
    code: str
    reason: str


class TrackingStopped(Event, kw_only=True):
    """A parcel is not followed any more: its waybill was voided."""

    to_state: str = "cancelled"
    fulfilment_id: str
