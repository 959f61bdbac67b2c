"""What tracking remembers, the legal moves of a parcel, and how tracking's events change its state."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

import msgspec

from pipeline.domain import order_policy
from pipeline.domain.alarms import Alarms
from pipeline.domain.commands import Report
from pipeline.domain.order_events import OrderPolicySet
from pipeline.domain.orders import SkuUnits
from pipeline.domain.shipping_events import (
    ReportIgnored,
    ReportParked,
    ShipmentMoved,
    ShipmentSilent,
    ShipmentTracked,
    TrackingStopped,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from pipeline.domain.order_policy import OrderPolicy

PARKED_REPORTS_MAX = 32
"""Of the reports that come before their parcel, the newest so many are kept: a later one tells more."""

Event = (
    ShipmentTracked | ShipmentMoved | ShipmentSilent | ReportParked | ReportIgnored | TrackingStopped | OrderPolicySet
)


class Status(StrEnum):
    """Where a parcel is."""

    WAITING = "waiting"
    COLLECTED = "collected"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    AT_PICKUP_POINT = "at_pickup_point"
    SIGNED = "signed"
    EXCEPTION = "exception"
    REFUSED = "refused"
    RETURNING = "returning"
    RETURNED = "returned"
    STOPPED = "cancelled"
    """Its waybill was voided."""


_ONWARD = {
    Report.OUT_FOR_DELIVERY: Status.OUT_FOR_DELIVERY,
    Report.AT_PICKUP_POINT: Status.AT_PICKUP_POINT,
    Report.SIGNED: Status.SIGNED,
    Report.REFUSED: Status.REFUSED,
    Report.RETURNING: Status.RETURNING,
    Report.RETURNED: Status.RETURNED,
}
"""Where a parcel may get to from anywhere on its way: reports may be lost, so steps may be skipped."""

NEXT: Mapping[Status, Mapping[Report, Status]] = {
    Status.WAITING: {
        Report.COLLECTED: Status.COLLECTED,
        Report.IN_TRANSIT: Status.IN_TRANSIT,
        Report.EXCEPTION: Status.EXCEPTION,
        **_ONWARD,
    },
    Status.COLLECTED: {Report.IN_TRANSIT: Status.IN_TRANSIT, Report.EXCEPTION: Status.EXCEPTION, **_ONWARD},
    Status.IN_TRANSIT: {Report.IN_TRANSIT: Status.IN_TRANSIT, Report.EXCEPTION: Status.EXCEPTION, **_ONWARD},
    Status.OUT_FOR_DELIVERY: {
        Report.IN_TRANSIT: Status.IN_TRANSIT,
        Report.AT_PICKUP_POINT: Status.AT_PICKUP_POINT,
        Report.SIGNED: Status.SIGNED,
        Report.EXCEPTION: Status.EXCEPTION,
        Report.REFUSED: Status.REFUSED,
        Report.RETURNING: Status.RETURNING,
        Report.RETURNED: Status.RETURNED,
    },
    Status.AT_PICKUP_POINT: {
        Report.IN_TRANSIT: Status.IN_TRANSIT,
        Report.OUT_FOR_DELIVERY: Status.OUT_FOR_DELIVERY,
        Report.SIGNED: Status.SIGNED,
        Report.EXCEPTION: Status.EXCEPTION,
        Report.REFUSED: Status.REFUSED,
        Report.RETURNING: Status.RETURNING,
        Report.RETURNED: Status.RETURNED,
    },
    Status.EXCEPTION: {Report.COLLECTED: Status.COLLECTED, Report.IN_TRANSIT: Status.IN_TRANSIT, **_ONWARD},
    Status.REFUSED: {
        Report.OUT_FOR_DELIVERY: Status.OUT_FOR_DELIVERY,
        Report.SIGNED: Status.SIGNED,
        Report.RETURNING: Status.RETURNING,
        Report.RETURNED: Status.RETURNED,
    },
    Status.SIGNED: {Report.RETURNING: Status.RETURNING, Report.RETURNED: Status.RETURNED},
    Status.RETURNING: {Report.IN_TRANSIT: Status.RETURNING, Report.RETURNED: Status.RETURNED},
    Status.RETURNED: {},
    Status.STOPPED: {},
}
"""The legal moves: what is not in here is refused. No report of OTHER moves anything."""

LEFT = frozenset(Status) - {Status.WAITING, Status.EXCEPTION, Status.STOPPED}
"""Where a parcel is that has left its warehouse. An exception proves nothing: the collection itself may have failed."""

STATUSES, WAITING = {status.value: status for status in Status}, Status.WAITING
"""For speed: what an enum looks up takes ten times as long as a name."""
ENDS = frozenset({Status.SIGNED, Status.RETURNED, Status.STOPPED})


class Shipment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A parcel. `units` are those that are still in the warehouse: none, once it has left."""

    status: Status
    pool: str = ""
    carrier: str = ""
    waybill_no: str = ""
    parts: int = 0
    units: tuple[SkuUnits, ...] = ()
    at: int = 0
    """The time of the last report that moved it."""
    report_id: str = ""
    alarm_at: int = 0
    """When it has been silent for too long (ms UTC); 0: it has come to its end, or was said to be."""

    warehouse: str = ""
    """Where it is, until it has left."""

    def is_settled(self) -> bool:
        """Say whether the parcel has come to its end; one that was signed may still be returned."""
        return self.status in ENDS


class ParkedReport(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A report that came before its parcel."""

    at: int
    report_id: str
    report: Report
    code: str
    waybill_no: str
    place: str


class ParkedReports(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The reports of a parcel that is not there yet, as they came."""

    reports: tuple[ParkedReport, ...]

    def is_settled(self) -> bool:
        """Give yes: the parcel may never come."""
        return True


@dataclass(frozen=True, slots=True)
class State:
    """`shipments` and `parked` (reports), both by fulfilment id, `policies` by ORDERS; `alarms` follows."""

    shipments: MutableMapping[str, Shipment]
    parked: MutableMapping[str, ParkedReports]
    policies: MutableMapping[str, OrderPolicy]
    alarms: Alarms = field(init=False, compare=False, default_factory=Alarms)

    @property
    def policy(self) -> OrderPolicy:
        """The limits in force."""
        return order_policy.in_force(self.policies)


def evolve(state: State, event: Event) -> None:
    """Apply an event."""
    match event:
        case ShipmentMoved(fulfilment_id=key):
            _put(state, key, moved(state.shipments[key], event, state.policy.silent_alarm_ms))
        case ShipmentTracked(fulfilment_id=key):
            _put(state, key, tracked(event, state.policy.silent_alarm_ms))
            state.parked.pop(key, None)
        case ShipmentSilent(fulfilment_id=key):
            _put(state, key, msgspec.structs.replace(state.shipments[key], alarm_at=0))
        case ReportParked():
            _park(state, event)
        case TrackingStopped(fulfilment_id=key):
            _put(state, key, Shipment(Status.STOPPED))
            state.parked.pop(key, None)
        case ReportIgnored():
            pass
        case OrderPolicySet():
            state.policies[order_policy.ORDERS] = event.policy
        case _:
            assert_never(event)


def _put(state: State, key: str, shipment: Shipment) -> None:
    state.shipments[key] = shipment
    state.alarms.note(key, shipment.alarm_at)


def tracked(event: ShipmentTracked, silent_ms: int) -> Shipment:
    """Give the parcel that is followed from here on; it is silent for too long after `silent_ms`."""
    alarm_at = event.at + silent_ms
    return Shipment(
        WAITING,
        event.pool,
        event.carrier,
        event.waybill_no,
        event.parts,
        event.units,
        alarm_at=alarm_at,
        warehouse=event.warehouse,
    )


def moved(shipment: Shipment, event: ShipmentMoved, silent_ms: int) -> Shipment:
    """Give the parcel after a move."""
    units, status = () if event.outbound else shipment.units, STATUSES[event.to_state]
    return Shipment(
        status,
        shipment.pool,
        shipment.carrier,
        shipment.waybill_no,
        shipment.parts,
        units,
        event.at,
        event.report_id,
        0 if status in ENDS else event.at + silent_ms,
        "" if event.outbound else shipment.warehouse,
    )


def _park(state: State, event: ReportParked) -> None:
    known = state.parked.get(event.fulfilment_id)
    report = ParkedReport(event.at, event.report_id, event.report, event.code, event.waybill_no, event.place)
    reports = (report,) if known is None else (*known.reports, report)[-PARKED_REPORTS_MAX:]
    state.parked[event.fulfilment_id] = ParkedReports(reports)
