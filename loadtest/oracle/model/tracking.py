"""What tracking must do.

A shipment: [status, pool, carrier, number, parts, units not yet gone, at, report id, when it is silent for too long,
warehouse until it has left].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loadtest.oracle.model import policy
from loadtest.oracle.model.answers import order_of

if TYPE_CHECKING:
    from loadtest.oracle.model.answers import Answers, Command, Tables

TABLES = ("shipments", "parked_reports", "parcel_policies")
PARKED_MAX = 32
TOLD_MAX = 500
ENDS = ("signed", "returned", "cancelled")
WAITING, STOPPED, EXCEPTION = "waiting", "cancelled", "exception"
AT_THE_WAREHOUSE = frozenset({WAITING, EXCEPTION, STOPPED})
"""Where a parcel is that has not left, or may not have."""
BACK = {"returning": "returning", "returned": "returned"}
ONWARD = {
    "out_for_delivery": "out_for_delivery",
    "at_pickup_point": "at_pickup_point",
    "signed": "signed",
    "refused": "refused",
    **BACK,
}
ON_ITS_WAY = {"in_transit": "in_transit", "exception": "exception", **ONWARD}
MOVES: dict[str, dict[str, str]] = {
    WAITING: {"collected": "collected", **ON_ITS_WAY},
    "collected": ON_ITS_WAY,
    "in_transit": ON_ITS_WAY,
    "out_for_delivery": {report: to for report, to in ON_ITS_WAY.items() if report != "out_for_delivery"},
    "at_pickup_point": {report: to for report, to in ON_ITS_WAY.items() if report != "at_pickup_point"},
    EXCEPTION: {"collected": "collected", "in_transit": "in_transit", **ONWARD},
    "refused": {"out_for_delivery": "out_for_delivery", "signed": "signed", **BACK},
    "signed": BACK,
    "returning": {"in_transit": "returning", "returned": "returned"},
    "returned": {},
    STOPPED: {},
}
"""Where a report takes a parcel."""
Shipment = list[Any]
Report = list[Any]
"""[at, report id, report, code, number, place]."""


def fold(tables: Tables, command: Command, answers: Answers) -> None:
    """Answer a command, and move the tables."""
    if command["command"] == "Tick":
        _tick(tables, command["at"], answers)
        return
    if command["command"] == "SetOrderPolicy":
        policy.take(tables["parcel_policies"], command, answers)
        return
    patience = policy.alarm_ms(tables["parcel_policies"], policy.SILENT)
    key = command["fulfilment_id"]
    shipment = tables["shipments"].get(key)
    match command["command"]:
        case "ReportShipment":
            report = [*(command[name] for name in ("at", "report_id", "report", "code", "waybill_no"))]
            report.append(command.get("place", ""))
            if shipment is None:
                _park(tables, key, report, answers)
            else:
                tables["shipments"][key] = _report(key, shipment, report, answers, patience)
        case "TrackShipment":
            if shipment is None:
                _track(tables, command, answers, patience)
            else:
                answers.tell("ReportIgnored", order_of(key), shipment[0])
        case "StopTracking":
            _stop(tables, key, shipment, answers)
        case name:
            raise KeyError(name)


def _tick(tables: Tables, at: int, answers: Answers) -> None:
    """Say of which parcels nothing was heard for too long, once."""
    silent = sorted((one[8], key) for key, one in tables["shipments"].items() if 0 < one[8] <= at)
    for _, key in silent[:TOLD_MAX]:
        answers.tell("ShipmentSilent", order_of(key), tables["shipments"][key][0])
        tables["shipments"][key] = [*tables["shipments"][key][:8], 0, tables["shipments"][key][9]]


def _park(tables: Tables, key: str, report: Report, answers: Answers) -> None:
    known = tables["parked_reports"].get(key, [[]])[0]
    if any(other[1] == report[1] for other in known):
        answers.tell("ReportIgnored", order_of(key))
        return
    answers.tell("ReportParked", order_of(key))
    tables["parked_reports"][key] = [[*known, report][-PARKED_MAX:]]


def _report(key: str, shipment: Shipment, report: Report, answers: Answers, patience: int) -> Shipment:
    """Take a report; gives the shipment as it is then."""
    status, pool, carrier, number, parts, units, last_at, last_id, _, warehouse = shipment
    at, report_id = report[:2]
    to = MOVES[status].get(report[2])
    if to is None or (report_id and report_id == last_id) or at < last_at:
        answers.tell("ReportIgnored", order_of(key), status)
        return shipment
    answers.tell("ShipmentMoved", order_of(key), to)
    if units and to not in AT_THE_WAREHOUSE:
        answers.ask("ConsumeHold", key, units)
        units, warehouse = [], ""
    return [to, pool, carrier, number, parts, units, at, report_id, 0 if to in ENDS else at + patience, warehouse]


def _track(tables: Tables, command: Command, answers: Answers, patience: int) -> None:
    key, what = command["fulfilment_id"], command["fulfilment"]
    answers.tell("ShipmentTracked", what["order_id"], WAITING)
    shipment = [WAITING, what["pool"], command["carrier"], command["waybill_no"], what["parts"], what["units"], 0, ""]
    shipment += [command["at"] + patience, what["warehouse"]]
    for report in sorted(tables["parked_reports"].pop(key, [[]])[0], key=lambda report: (report[0], report[1])):
        shipment = _report(key, shipment, report, answers, patience)
    tables["shipments"][key] = shipment


def _stop(tables: Tables, key: str, shipment: Shipment | None, answers: Answers) -> None:
    if shipment is not None and (shipment[0] == STOPPED or shipment[0] not in AT_THE_WAREHOUSE):
        answers.tell("ReportIgnored", order_of(key), shipment[0])
        return
    answers.tell("TrackingStopped", order_of(key), STOPPED)
    for _ in tables["parked_reports"].pop(key, [[]])[0]:
        answers.tell("ReportIgnored", order_of(key), STOPPED)
    tables["shipments"][key] = [STOPPED, "", "", "", 0, [], 0, "", 0, ""]
