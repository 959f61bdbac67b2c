"""SF's route push (RoutePushService): what it says of each parcel, and how it is acknowledged. Pure.

Source: open.sf-express.com, 路由推送接口. Times carry no zone: they are Beijing's.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from pipeline.domain import reasons
from pipeline.domain.commands import Report, ReportShipment
from pipeline.domain.orders import TEXT_CHARACTERS_MAX
from pipeline.errors import PoisonError

ROUTES_A_PUSH_MAX = 5000
ACKNOWLEDGED = "0000"
FAILED = "1000"
"""`return_code`: SF pushes again."""
BEIJING_1970 = datetime(1970, 1, 1, 8)  # noqa: DTZ001  no zone on either side of the difference: both are Beijing's
MILLISECOND = timedelta(milliseconds=1)
TIME_SHAPE = "yyyy-MM-dd HH:mm:ss"

REPORTS = {
    "50": Report.COLLECTED,
    "54": Report.COLLECTED,
    "30": Report.IN_TRANSIT,
    "31": Report.IN_TRANSIT,
    "36": Report.IN_TRANSIT,
    "44": Report.OUT_FOR_DELIVERY,
    "204": Report.OUT_FOR_DELIVERY,
    "80": Report.SIGNED,
    "8000": Report.SIGNED,
    "125": Report.AT_PICKUP_POINT,
    "607": Report.AT_PICKUP_POINT,
    "33": Report.EXCEPTION,
    "70": Report.EXCEPTION,
    "99": Report.RETURNING,
    "648": Report.RETURNED,
}
"""From `opCode`. Any other is stored as OTHER."""

Text = Annotated[str, msgspec.Meta(max_length=TEXT_CHARACTERS_MAX)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Route(
    msgspec.Struct, rename={"accept_time": "acceptTime", "accept_address": "acceptAddress", "op_code": "opCode"}
):
    """One report of one parcel, with SF's names: `orderid` is the order number that we gave it."""

    mailno: Word
    orderid: Word
    accept_time: Word
    op_code: Word
    id: Word | Number
    accept_address: Text | None = None


class _Body(msgspec.Struct):
    routes: Annotated[list[Route], msgspec.Meta(max_length=ROUTES_A_PUSH_MAX)] = msgspec.field(name="WaybillRoute")


class _Push(msgspec.Struct):
    body: _Body = msgspec.field(name="Body")


_PUSH = msgspec.json.Decoder(_Push)


def read_push(body: bytes) -> list[ReportShipment]:
    """Read a push. Raises PoisonError, which names the field, for one that is not of SF's form."""
    try:
        routes = _PUSH.decode(body).body.routes
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise PoisonError(reasons.INVALID, message, path.strip(".`")) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PoisonError(reasons.MALFORMED, f"not JSON: {error}") from error
    return [_report(place, route) for place, route in enumerate(routes)]


def acknowledgement(code: str, message: str) -> bytes:
    """Answer a push."""
    return msgspec.json.encode({"return_code": code, "return_msg": message})


def _report(place: int, route: Route) -> ReportShipment:
    at = beijing_ms(route.accept_time)
    if at is None:
        message = f"Expected a time as `{TIME_SHAPE}`, got {route.accept_time!r}"
        raise PoisonError(reasons.INVALID, message, f"Body.WaybillRoute[{place}].acceptTime")
    return ReportShipment(
        at=at,
        fulfilment_id=route.orderid,
        report_id=str(route.id),
        report=REPORTS.get(route.op_code, Report.OTHER),
        code=route.op_code,
        waybill_no=route.mailno,
        place=route.accept_address or "",
    )


def beijing_ms(text: str) -> int | None:
    """Give the time in milliseconds UTC, or None for a text of another shape. Beijing has no summer time since 1991."""
    if (
        len(text) != len(TIME_SHAPE)
        or text[4] != "-"
        or text[7] != "-"
        or text[10] != " "
        or text[13] != ":"
        or text[16] != ":"
    ):
        return None
    try:
        at = (datetime.fromisoformat(text) - BEIJING_1970) // MILLISECOND
    except ValueError:
        return None
    return at if at >= 0 else None


def beijing_text(at_ms: int) -> str:
    """Give a time in milliseconds UTC as SF writes it."""
    return (BEIJING_1970 + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%d %H:%M:%S")
