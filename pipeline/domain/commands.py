"""The commands: what each stage may be asked, and by whom. A stage's one input topic carries only these.

`at` is the event time in milliseconds UTC: the time of what happened in the world, never of a worker's clock.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from pipeline.domain.orders import Envelope, Name, Order, ShipTo, SkuUnits, SubPool, TimeMs, UnitsChange


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="command", tag=True, gc=False):
    """A request to a stage; on the wire a JSON object whose `command` names it."""

    at: TimeMs


class Tick(Command, frozen=True, kw_only=True):
    """It is `at` by now; from the clock, into every partition of a stage's input. What is due by then happens."""


# --- to dedup, keyed by stock pool; from ingest ---


class SubmitOrder(Command, frozen=True, kw_only=True):
    """A shop shows an order, new or again, in the state that it has by now."""

    pool: str
    order: Order
    envelope: Envelope


class PayOrder(Command, frozen=True, kw_only=True):
    """A platform reports that an order was paid."""

    pool: str
    order_id: str
    paid_minor: int


class CancelOrder(Command, frozen=True, kw_only=True):
    """A buyer or a platform wants an order cancelled."""

    pool: str
    order_id: str
    reason: str


# --- to reservation, keyed by stock pool ---


class PlaceHold(Command, frozen=True, kw_only=True):
    """Hold all units of an order, or none; from dedup. `parts` of the order may later ship from several warehouses.

    With `expires_at` the hold is tentative: it is confirmed by ConfirmHold, or expires then (event time, ms UTC).
    """

    pool: str
    order_id: str
    units: tuple[SkuUnits, ...]
    ship_to: ShipTo
    sub_pool: SubPool = SubPool.STOCK
    may_split: bool = False
    priority: int = 0
    """Of two orders that wait for stock the one with the higher one is served first; 0 is usual."""
    expires_at: int | None = None
    stock_gate: str = ""
    """The rule, and its version, that keeps the order off stock below the SKU's safety level; empty: none does."""
    values_minor: tuple[int, ...] = ()
    """The goods' value of each of `units`, in their order, in minor units; none: nobody said."""
    paid_minor: int = 0
    """What was paid for all of it; the order's parts share it."""
    paid_at: int = 0
    """When it was paid, where that was before `at` (ms UTC)."""
    buyer: str = ""
    """Of an order of a flash sale: a token of who buys. Those without one count as one buyer."""


class ConfirmHold(Command, frozen=True, kw_only=True):
    """An order whose units are held for a time was paid: it may go on; from dedup."""

    pool: str
    order_id: str
    paid_minor: int = 0


class CancelHold(Command, frozen=True, kw_only=True):
    """Undo an order that holds stock: what was shipped stays shipped, the rest is released; from dedup."""

    pool: str
    order_id: str
    reason: str


class ConsumeHold(Command, frozen=True, kw_only=True):
    """A fulfilment order left its warehouse: its units are gone; from tracking, and from the warehouse's own scan."""

    pool: str
    order_id: str
    fulfilment_id: str
    units: tuple[SkuUnits, ...]
    warehouse: str = ""


class ReleaseHold(Command, frozen=True, kw_only=True):
    """A fulfilment order will not ship: its units are free again; from routing and waybill."""

    pool: str
    order_id: str
    fulfilment_id: str
    units: tuple[SkuUnits, ...]
    reason: str


class RegisterWarehouse(Command, frozen=True, kw_only=True):
    """A warehouse joins the pool's network; from the stock feed. Degrees, WGS 84."""

    pool: Name
    feed_id: str
    warehouse: Name
    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]


class ReceiveStock(Command, frozen=True, kw_only=True):
    """Goods arrived at a warehouse; from the stock feed. A feed id counts once."""

    pool: Name
    feed_id: str
    warehouse: Name
    units: tuple[SkuUnits, ...]
    inbound_id: str = ""
    """The announced delivery that they are of."""


class AdjustStock(Command, frozen=True, kw_only=True):
    """A warehouse corrects what it has of a SKU, up or down; from the stock feed."""

    pool: Name
    feed_id: str
    warehouse: Name
    sku: str
    change_units: UnitsChange
    reason: str


# --- to waybill, keyed by fulfilment order ---


class Fulfilment(msgspec.Struct, frozen=True, kw_only=True):
    """One warehouse's part of an order: `parts` says how many the order has."""

    fulfilment_id: str
    order_id: str
    pool: str
    warehouse: str
    parts: int
    units: tuple[SkuUnits, ...]


class IssueWaybill(Command, frozen=True, kw_only=True):
    """Get a waybill for a fulfilment order; from routing."""

    fulfilment_id: str
    fulfilment: Fulfilment
    ship_to: ShipTo


class CancelFulfilment(Command, frozen=True, kw_only=True):
    """Stop a fulfilment order: void its waybill if it has one; from routing.

    With `keeps_hold` its units stay held, and routing is told what came of it: another part is to take its place.
    """

    fulfilment_id: str
    fulfilment: Fulfilment
    reason: str
    keeps_hold: bool = False


class CallKind(StrEnum):
    """What is asked of a carrier."""

    CREATE = "create"
    QUERY = "query"
    VOID = "void"


class Answer(StrEnum):
    """What is known after a call. UNKNOWN: the carrier may or may not have acted, so the next call is a query."""

    OK = "ok"
    ABSENT = "absent"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class RecordAnswer(Command, frozen=True, kw_only=True):
    """A carrier answered, or did not; from the carrier caller."""

    fulfilment_id: str
    key: str
    kind: CallKind
    answer: Answer
    waybill_no: str = ""
    reason: str = ""


WaybillCommand = IssueWaybill | CancelFulfilment | RecordAnswer

# --- to the carrier caller, keyed by fulfilment order; from waybill ---


class CallCarrier(Command, frozen=True, kw_only=True):
    """Call a carrier under a key that makes a repeat harmless, not before `delay_seconds` have passed."""

    fulfilment_id: str
    key: str
    kind: CallKind
    carrier: str
    delay_seconds: float = 0.0
    warehouse: str = ""
    units: tuple[SkuUnits, ...] = ()
    ship_to: ShipTo | None = None
    waybill_no: str = ""


# --- to tracking, keyed by fulfilment order ---


class Report(StrEnum):
    """What a carrier reports of a parcel, in our words."""

    COLLECTED = "collected"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    AT_PICKUP_POINT = "at_pickup_point"
    SIGNED = "signed"
    EXCEPTION = "exception"
    REFUSED = "refused"
    RETURNING = "returning"
    RETURNED = "returned"
    OTHER = "other"
    """A code that nobody knows: stored, moves nothing."""


class TrackShipment(Command, frozen=True, kw_only=True):
    """Follow a parcel that has a waybill; from waybill."""

    fulfilment_id: str
    fulfilment: Fulfilment
    carrier: str
    waybill_no: str


class ReportShipment(Command, frozen=True, kw_only=True):
    """A carrier reports where a parcel is; from the gateway. `report_id` is the carrier's own."""

    fulfilment_id: str
    report_id: str
    report: Report
    code: str
    waybill_no: str
    place: str = ""


class StopTracking(Command, frozen=True, kw_only=True):
    """A parcel's waybill was voided; from waybill."""

    fulfilment_id: str


ParcelCommand = TrackShipment | ReportShipment | StopTracking

# --- to the reviewers, keyed by stock pool ---


class RequestReview(Command, frozen=True, kw_only=True):
    """A person must decide on an order; from dedup and reservation. `evidence` says what speaks against it."""

    pool: str
    order_id: str
    reason: str
    evidence: str
    order: Order | None = None
