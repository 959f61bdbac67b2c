"""The events from routing on: where an order ships from, its waybills, its parcels. `events` says what an event is."""

from __future__ import annotations

import msgspec

from pipeline.domain.commands import Report
from pipeline.domain.events import Event
from pipeline.domain.orders import SkuUnits

# --- routing ---


class RoutePart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one parcel ships of an order, what each of its `units` is worth, and its share of what was paid for all.

    Money in minor units; no values: nobody said what the goods are worth.
    """

    fulfilment_id: str
    warehouse: str
    units: tuple[SkuUnits, ...]
    values_minor: tuple[int, ...] = ()
    paid_minor: int = 0
    deliver_by: int = 0
    """When it should have arrived, by the plan: ms UTC; 0: without a plan nobody says."""
    priority: int = 0
    same_city: bool = False


class RouteScore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How one candidate compared: kilometres to the receiver, and how many of the order's units it could ship.

    Under a plan also the `points` of each strategy, 0 to 1000 (nearest, region, cost, load, category, priority), and
    the `score`: their sum, each times its weight.
    """

    warehouse: str
    distance_km: float
    units_free: int
    score: int = 0
    points: tuple[int, ...] = ()
    cost_minor: int = 0
    deliver_by: int = 0
    standing: str = ""
    """full: it has its day's parts; closed: it ships nothing."""


class OrderRouted(Event, frozen=True, kw_only=True):
    """Warehouses were chosen; `scores` holds every candidate, nearest first. `rule_version` is the plan's, if any."""

    from_state: str = "locked"
    to_state: str = "routed"
    pool: str
    parts: tuple[RoutePart, ...]
    scores: tuple[RouteScore, ...]


class RouteFailed(Event, frozen=True, kw_only=True):
    """No warehouses could ship the order; its hold is released."""

    from_state: str = "locked"
    to_state: str = "route_failed"
    pool: str
    units: tuple[SkuUnits, ...]
    scores: tuple[RouteScore, ...]


class RouteRepeated(Event, frozen=True, kw_only=True):
    """Something known was asked of routing again: nothing changed."""

    kind: str


class AllocationSettled(Event, frozen=True, kw_only=True):
    """A fulfilment order's units left the shelves, or stay on them."""

    from_state: str = "allocated"
    pool: str
    fulfilment_id: str


class ShelfStocked(Event, frozen=True, kw_only=True):
    """A warehouse's shelf changed."""

    pool: str
    warehouse: str
    units: tuple[SkuUnits, ...]


class WarehouseOpened(Event, frozen=True, kw_only=True):
    """A warehouse takes part in routing."""

    pool: str
    warehouse: str
    latitude: float
    longitude: float


# --- waybill ---


class WaybillClaimed(Event, frozen=True, kw_only=True):
    """The intent to get a waybill is on record, under the key of all calls for it."""

    from_state: str = "planned"
    to_state: str = "claimed"
    fulfilment_id: str
    warehouse: str
    carrier: str
    key: str


class WaybillUnknown(Event, frozen=True, kw_only=True):
    """A call ended in a way that nobody knows; a query follows."""

    to_state: str = "unknown"
    fulfilment_id: str
    carrier: str
    key: str
    tries: int
    reason: str


class WaybillRetried(Event, frozen=True, kw_only=True):
    """The carrier proved that it has no such order: the same key is sent again."""

    from_state: str = "unknown"
    to_state: str = "claimed"
    fulfilment_id: str
    carrier: str
    key: str
    tries: int


class WaybillIssued(Event, frozen=True, kw_only=True):
    """A carrier gave a waybill number."""

    to_state: str = "issued"
    fulfilment_id: str
    warehouse: str
    carrier: str
    key: str
    waybill_no: str


class WaybillRefused(Event, frozen=True, kw_only=True):
    """A carrier will not ship it, or too many tries ended in nothing: a person must decide."""

    to_state: str = "manual"
    fulfilment_id: str
    carrier: str
    key: str
    reason: str


class VoidRequested(Event, frozen=True, kw_only=True):
    """A waybill is to be voided."""

    to_state: str = "void_pending"
    fulfilment_id: str
    carrier: str
    reason: str


class FulfilmentCancelled(Event, frozen=True, kw_only=True):
    """A fulfilment order will not ship, for certain."""

    to_state: str = "cancelled"
    fulfilment_id: str
    parts: int
    reason: str


class FulfilmentStopped(Event, frozen=True, kw_only=True):
    """A fulfilment order will not ship, for certain; its units stay held, for another one takes its place."""

    to_state: str = "cancelled"
    fulfilment_id: str
    parts: int
    reason: str


class CancelRefused(Event, frozen=True, kw_only=True):
    """A fulfilment order could not be stopped any more."""

    fulfilment_id: str
    reason: str


class AnswerIgnored(Event, frozen=True, kw_only=True):
    """A carrier's answer, or a request, changed nothing: it was known, or it is about a call that is settled."""

    fulfilment_id: str
    reason: str


# --- tracking ---


class ShipmentTracked(Event, frozen=True, kw_only=True):
    """A parcel is being followed: the last stage knows the order."""

    from_state: str = "issued"
    to_state: str = "waiting"
    fulfilment_id: str
    pool: str
    carrier: str
    warehouse: str
    waybill_no: str
    parts: int
    units: tuple[SkuUnits, ...]


class ShipmentMoved(Event, frozen=True, kw_only=True):
    """A parcel moved; `from` and `to` are tracking states.

    `outbound`: this was the first sign that it left its warehouse.
    """

    fulfilment_id: str
    carrier: str
    waybill_no: str
    report_id: str
    code: str
    place: str
    parts: int
    outbound: bool


class ShipmentSilent(Event, frozen=True, kw_only=True):
    """Nothing was heard of a parcel for seven days: customer service should ask. It stands where it stood."""

    fulfilment_id: str
    pool: str
    carrier: str
    waybill_no: str
    due_at: int


class ReportParked(Event, frozen=True, kw_only=True):
    """A report came before its shipment."""

    fulfilment_id: str
    report_id: str
    report: Report
    code: str
    waybill_no: str
    place: str


class ReportIgnored(Event, frozen=True, kw_only=True):
    """A report was known, or is no legal move from where the parcel is; `to` is where it stays."""

    fulfilment_id: str
    report_id: str
    code: str
    reason: str


class TrackingStopped(Event, frozen=True, kw_only=True):
    """A parcel is not followed any more: its waybill was voided."""

    to_state: str = "cancelled"
    fulfilment_id: str
