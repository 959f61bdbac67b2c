"""The calls that the waybill stage asks for: to which carrier, under which key, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain.commands import CallCarrier, CallKind

if TYPE_CHECKING:
    from pipeline.domain.commands import CancelFulfilment, Fulfilment, IssueWaybill, RecordAnswer
    from pipeline.domain.orders import ShipTo

CARRIER = "sf"
CREATE = CallKind.CREATE
DELAY_SECONDS_MIN = 0.5
"""Between an unknown outcome and the query: the carrier may still be writing."""
DELAY_SECONDS_MAX = 30.0


def create_call(command: IssueWaybill | RecordAnswer, fulfilment: Fulfilment, ship_to: ShipTo | None) -> CallCarrier:
    """Give the call that asks for a waybill."""
    return CallCarrier(
        at=command.at,
        fulfilment_id=fulfilment.fulfilment_id,
        key=fulfilment.fulfilment_id,
        kind=CREATE,
        carrier=CARRIER,
        warehouse=fulfilment.warehouse,
        units=fulfilment.units,
        ship_to=ship_to,
    )


def delay_seconds(tries: int) -> float:
    """Give the time to wait before the next call: it doubles with each try, up to a bound."""
    return min(DELAY_SECONDS_MAX, DELAY_SECONDS_MIN * 2.0 ** min(tries - 1, 16))


def call_again(command: RecordAnswer | CancelFulfilment, kind: CallKind, waybill_no: str, delay: float) -> CallCarrier:
    """Give a query or a void: either may be repeated without harm."""
    key = command.fulfilment_id
    return CallCarrier(
        at=command.at,
        fulfilment_id=key,
        key=key,
        kind=kind,
        carrier=CARRIER,
        delay_seconds=delay,
        waybill_no=waybill_no,
    )
