"""Tracking: follows each parcel by what its carrier reports, whatever is lost, repeated or out of order.

The first sign that a parcel left its warehouse consumes its units. A report that came before its parcel is parked and
applied when the parcel comes; an older one than the last, a repeated one, and one that is no legal move change nothing,
and an event says so each time.
"""

from __future__ import annotations

from itertools import chain
from typing import assert_never

from pipeline.domain import reasons
from pipeline.domain.commands import (
    ConsumeHold,
    ParcelCommand,
    Report,
    ReportShipment,
    StopTracking,
    Tick,
    TrackShipment,
)
from pipeline.domain.order_events import policy_set
from pipeline.domain.order_policy import SetOrderPolicy
from pipeline.domain.orders import order_of
from pipeline.domain.shipping_events import (
    ReportIgnored,
    ReportParked,
    ShipmentMoved,
    ShipmentSilent,
    ShipmentTracked,
    TrackingStopped,
)
from pipeline.domain.tracking.state import (
    LEFT,
    NEXT,
    Event,
    ParkedReport,
    Shipment,
    State,
    Status,
    evolve,
    moved,
    tracked,
)

__all__ = ["State", "decide", "evolve"]

Answers = tuple[Event | ConsumeHold, ...]
ALARMS_PER_TICK_MAX = 500
OTHER, STOPPED = Report.OTHER, Status.STOPPED
"""For speed: an attribute of an enum takes ten times as long to look up as a name."""


TrackingCommand = ParcelCommand | Tick | SetOrderPolicy


def decide(state: State, command: TrackingCommand) -> Answers:
    """Answers a command."""
    match command:
        case ReportShipment(fulfilment_id=key):
            shipment = state.shipments.get(key)
            return _park(state, command) if shipment is None else _report(key, shipment, command)
        case TrackShipment(fulfilment_id=key):
            shipment = state.shipments.get(key)
            return _track(state, command) if shipment is None else (_ignored(command, shipment, reasons.REPEATED),)
        case StopTracking(fulfilment_id=key):
            return _stop(state, command, state.shipments.get(key))
        case Tick():
            return _tick(state, command)
        case SetOrderPolicy():
            return (policy_set(command),)
        case _:
            assert_never(command)


def _tick(state: State, command: Tick) -> tuple[ShipmentSilent, ...]:
    """Say of which parcels nothing was heard for too long: once, and again only when they were heard of meanwhile."""
    shipments = state.shipments
    alarms = ((key, shipment.alarm_at) for key, shipment in shipments.items())
    due = state.alarms.due(alarms, command.at, ALARMS_PER_TICK_MAX)
    return tuple([_silent(key, shipments[key], command.at) for key in due])


def _silent(key: str, shipment: Shipment, at: int) -> ShipmentSilent:
    return ShipmentSilent(
        order_id=order_of(key),
        at=at,
        from_state=shipment.status,
        to_state=shipment.status,
        fulfilment_id=key,
        pool=shipment.pool,
        carrier=shipment.carrier,
        waybill_no=shipment.waybill_no,
        due_at=shipment.alarm_at,
    )


def _track(state: State, command: TrackShipment) -> Answers:
    """Follow a parcel, and apply the reports that came before it."""
    key, fulfilment = command.fulfilment_id, command.fulfilment
    event = ShipmentTracked(
        order_id=fulfilment.order_id,
        at=command.at,
        fulfilment_id=key,
        pool=fulfilment.pool,
        carrier=command.carrier,
        warehouse=fulfilment.warehouse,
        waybill_no=command.waybill_no,
        parts=fulfilment.parts,
        units=fulfilment.units,
    )
    parked = state.parked.get(key)
    if parked is None:
        return (event,)
    silent_ms = state.policy.silent_alarm_ms
    shipment = tracked(event, silent_ms)
    answers: list[Event | ConsumeHold] = [event]
    for report in sorted(parked.reports, key=_time):
        for answer in _report(key, shipment, report):
            answers.append(answer)
            if isinstance(answer, ShipmentMoved):
                shipment = moved(shipment, answer, silent_ms)
    return tuple(answers)


def _time(report: ParkedReport) -> tuple[int, str]:
    return report.at, report.report_id


def _park(state: State, command: ReportShipment) -> Answers:
    """Keep a report until its parcel comes."""
    known = state.parked.get(command.fulfilment_id)
    if known is not None and any(report.report_id == command.report_id for report in known.reports):
        return (_ignored_report(command.fulfilment_id, command, "", reasons.REPEATED),)
    parked = ReportParked(
        order_id=order_of(command.fulfilment_id),
        at=command.at,
        fulfilment_id=command.fulfilment_id,
        report_id=command.report_id,
        report=command.report,
        code=command.code,
        waybill_no=command.waybill_no,
        place=command.place,
    )
    return (parked,)


def _report(key: str, shipment: Shipment, report: ReportShipment | ParkedReport) -> Answers:
    """Move a parcel, or say why not."""
    order_id = order_of(key)
    status = NEXT[shipment.status].get(report.report)
    reason = _objection(shipment, report, status)
    if status is None or reason:
        return (_ignored_report(key, report, shipment.status, reason),)
    outbound = bool(shipment.units) and status in LEFT
    event = ShipmentMoved(
        order_id=order_id,
        at=report.at,
        from_state=shipment.status,
        to_state=status,
        fulfilment_id=key,
        carrier=shipment.carrier,
        waybill_no=shipment.waybill_no,
        report_id=report.report_id,
        code=report.code,
        place=report.place,
        parts=shipment.parts,
        outbound=outbound,
    )
    if not outbound:
        return (event,)
    consume = ConsumeHold(
        at=report.at,
        pool=shipment.pool,
        order_id=order_id,
        fulfilment_id=key,
        units=shipment.units,
        warehouse=shipment.warehouse,
    )
    return event, consume


def _ignored_report(key: str, report: ReportShipment | ParkedReport, status: str, reason: str) -> ReportIgnored:
    return ReportIgnored(
        order_id=order_of(key),
        at=report.at,
        from_state=status,
        to_state=status,
        fulfilment_id=key,
        report_id=report.report_id,
        code=report.code,
        reason=reason,
    )


def _objection(shipment: Shipment, report: ReportShipment | ParkedReport, status: Status | None) -> str:
    """Say why a report does not count; empty if it does."""
    if report.report is OTHER:
        return reasons.UNKNOWN_CODE
    if shipment.status is STOPPED:
        left = NEXT[Status.WAITING].get(report.report) in LEFT
        return reasons.MOVED_ALTHOUGH_STOPPED if left else reasons.NO_LEGAL_MOVE
    if report.report_id and report.report_id == shipment.report_id:
        return reasons.REPEATED
    if report.at < shipment.at:
        return reasons.OLDER
    return reasons.NO_LEGAL_MOVE if status is None else ""


def _stop(state: State, command: StopTracking, shipment: Shipment | None) -> Answers:
    """Stop following a parcel whose waybill was voided."""
    if shipment is not None and shipment.status is Status.STOPPED:
        return (_ignored(command, shipment, reasons.REPEATED),)
    if shipment is not None and shipment.status in LEFT:
        return (_ignored(command, shipment, reasons.STOPPED_ALTHOUGH_MOVED),)
    stopped = TrackingStopped(
        order_id=order_of(command.fulfilment_id),
        at=command.at,
        from_state="" if shipment is None else shipment.status,
        fulfilment_id=command.fulfilment_id,
    )
    parked = state.parked.get(command.fulfilment_id)
    if parked is None:
        return (stopped,)
    late = [_report(command.fulfilment_id, Shipment(Status.STOPPED), report) for report in parked.reports]
    return stopped, *chain.from_iterable(late)


def _ignored(command: TrackShipment | StopTracking, shipment: Shipment, reason: str) -> ReportIgnored:
    return ReportIgnored(
        order_id=order_of(command.fulfilment_id),
        at=command.at,
        from_state=shipment.status,
        to_state=shipment.status,
        fulfilment_id=command.fulfilment_id,
        report_id="",
        code="",
        reason=reason,
    )
