"""The sandbox's carrier: its orders, its three services, its parcels' way. No clock and no network of its own."""

from __future__ import annotations

import functools
import heapq
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from pipeline.carriers import sf
from pipeline.carriers.sandbox_behaviour import draw
from pipeline.carriers.sandbox_book import Accepted, AnyEntry, Cancelled, Moved, Refused, Reported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.carriers.sandbox_behaviour import Behaviour

FIRST_WAYBILL = 1_000_000_000_000
ORDER_ID_MISSING = "6118"
RECEIVER_MISSING = "6117"
BAD_DEAL_TYPE = "6131"
NOT_FOUND = "8018"
CANCELLED = "8037"
UNREADABLE = "4002"
CONFIRMED_OR_CANCELLED = "8019"
"""订单已确认或已消单: the answer to a cancel once the parcel is collected. [assumption] SF's table of the call
names no code for that case alone."""
TEXTS = {
    sf.DUPLICATE_ORDER: "重复下单",
    ORDER_ID_MISSING: "订单号不能为空",
    RECEIVER_MISSING: "到件方详细地址不能为空",
    BAD_DEAL_TYPE: "订单操作标识不合法",
    CONFIRMED_OR_CANCELLED: "订单已确认或已消单",
    NOT_FOUND: "未获取到订单信息",
    CANCELLED: "已消单",
    UNREADABLE: "报文解析错误",
}
IN_TRANSIT_CODES = ("30", "36", "31")
IN_TRANSIT = ""
STEPS = ("50", IN_TRANSIT, "44", "80")
"""The codes that a parcel is reported with; which of `IN_TRANSIT_CODES` is the second depends on the order."""


class Parcel:
    """An order and how far its parcel is. `step` counts its routes; the last, or else the order, came at `at` (ms)."""

    __slots__ = ("at", "cancelled", "order_id", "step", "waybill_no")

    def __init__(self, order_id: str, waybill_no: str, at: int) -> None:
        self.order_id = order_id
        self.waybill_no = waybill_no
        self.at = at
        self.step = 0
        self.cancelled = False

    @property
    def refused(self) -> bool:
        """Whether the carrier does not deliver there."""
        return not self.waybill_no


Scalar = str | int | float | bool | None


class Contact(msgspec.Struct, rename="camel"):
    """What is read of a contact."""

    contact_type: object = None
    address: object = None


class Message(msgspec.Struct, rename="camel"):
    """What is read of a request's message (`msgData`), whatever is in it."""

    order_id: object = None
    deal_type: object = None
    contact_info_list: list[Contact | list[Any] | Scalar] | dict[str, Any] | Scalar = None


class Deed(msgspec.Struct):
    """What a service did: the business answer, and the entry to write before it is given.

    The answer is `apiResultData` as it stands in the envelope: JSON as a JSON text, with its quotes.
    """

    result: bytes
    entry: AnyEntry | None = None


class Carrier:
    """The carrier's memory: nothing but what its book says."""

    def __init__(self, entries: Iterable[AnyEntry], behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.parcels: dict[str, Parcel] = {}
        self._due: list[tuple[int, int, Parcel]] = []
        self._turns = 0
        self.unreported = self._restore(entries)
        """The routes that no push was acknowledged for, as after a crash; in their order."""

    def serve(self, service: str, message: Message, now_ms: int, *, answered: bool) -> Deed:
        """Do what a request wants. `answered`: whether the answer is let through in time."""
        order_id = message.order_id
        if not isinstance(order_id, str) or not order_id:
            return Deed(failure(ORDER_ID_MISSING))
        if service == sf.CREATE_ORDER:
            return self._create(order_id, message, now_ms, answered=answered)
        parcel = self.parcels.get(order_id)
        if parcel is None:
            return Deed(failure(NOT_FOUND))
        if service == sf.UPDATE_ORDER:
            return self._cancel(parcel, message, now_ms, answered=answered)
        return Deed(failure(CANCELLED) if parcel.cancelled else _found(parcel))

    def advance(self, now_ms: int) -> list[Moved]:
        """Move every parcel that is due one step on."""
        moves = []
        while self._due and self._due[0][0] <= now_ms:
            _, _, parcel = heapq.heappop(self._due)
            if not parcel.cancelled:
                parcel.step += 1
                parcel.at = now_ms
                moves.append(_route(parcel))
                self._schedule(parcel)
        return moves

    def _create(self, order_id: str, message: Message, now_ms: int, *, answered: bool) -> Deed:
        if not _has_address(message):
            return Deed(failure(RECEIVER_MISSING))
        if order_id in self.parcels:
            return Deed(failure(sf.DUPLICATE_ORDER))
        if self.behaviour.refuses(order_id):
            parcel = self.parcels[order_id] = Parcel(order_id, "", now_ms)
            return Deed(_found(parcel), Refused(at=now_ms, order_id=order_id, answered=answered))
        number = f"SF{FIRST_WAYBILL + len(self.parcels)}"
        parcel = self.parcels[order_id] = Parcel(order_id, number, now_ms)
        self._schedule(parcel)
        return Deed(_found(parcel), Accepted(at=now_ms, order_id=order_id, waybill_no=number, answered=answered))

    def _cancel(self, parcel: Parcel, message: Message, now_ms: int, *, answered: bool) -> Deed:
        if str(message.deal_type) != str(sf.CANCEL):
            return Deed(failure(BAD_DEAL_TYPE))
        if parcel.cancelled:
            return Deed(failure(CANCELLED))
        if parcel.step > 0:
            return Deed(failure(CONFIRMED_OR_CANCELLED))
        parcel.cancelled = True
        entry = Cancelled(at=now_ms, order_id=parcel.order_id, answered=answered)
        return Deed(_fill(_CANCEL_DONE, parcel), entry)

    def _schedule(self, parcel: Parcel) -> None:
        if parcel.step < len(STEPS):
            self._turns += 1
            seconds = self.behaviour.report_interval_seconds + (0 if parcel.step else self.behaviour.pickup_seconds)
            heapq.heappush(self._due, (parcel.at + int(seconds * 1000), self._turns, parcel))

    def _restore(self, entries: Iterable[AnyEntry]) -> list[Moved]:
        moves: dict[tuple[str, int], Moved] = {}
        for entry in entries:
            match entry:
                case Accepted():
                    self.parcels[entry.order_id] = Parcel(entry.order_id, entry.waybill_no, entry.at)
                case Refused():
                    self.parcels[entry.order_id] = Parcel(entry.order_id, "", entry.at)
                case Cancelled():
                    self.parcels[entry.order_id].cancelled = True
                case Moved():
                    parcel = self.parcels[entry.order_id]
                    parcel.step, parcel.at = entry.step, entry.at
                    moves[entry.order_id, entry.step] = entry
                case Reported():
                    for order_id, step in entry.steps:
                        del moves[order_id, step]
        for parcel in self.parcels.values():
            if not (parcel.cancelled or parcel.refused):
                self._schedule(parcel)
        return list(moves.values())


def _route(parcel: Parcel) -> Moved:
    """Give the route of a parcel's last step. Its id depends on nothing else, so a repeated push repeats it."""
    code = STEPS[parcel.step - 1]
    if code == IN_TRANSIT:
        code = IN_TRANSIT_CODES[int(draw(0, "transit", parcel.order_id) * len(IN_TRANSIT_CODES))]
    return Moved(
        at=parcel.at,
        order_id=parcel.order_id,
        step=parcel.step,
        op_code=code,
        route_id=f"{parcel.waybill_no[2:]}{parcel.step}",
    )


def _has_address(message: Message) -> bool:
    contacts = message.contact_info_list
    if not isinstance(contacts, list):
        return False
    return any(
        contact.address for contact in contacts if isinstance(contact, Contact) and contact.contact_type == sf.RECEIVER
    )


def _found(parcel: Parcel) -> bytes:
    """Answer a create or a search."""
    return _fill(_OUT_OF_RANGE if parcel.refused else _DELIVERED, parcel)


def _fill(answer: tuple[bytes, ...], parcel: Parcel) -> bytes:
    """Put a parcel's numbers between the parts of an answer. A text within a text is escaped twice."""
    order_id = orjson.dumps(orjson.dumps(parcel.order_id).decode())[3:-3]
    return b"".join((answer[0], order_id, answer[1], parcel.waybill_no.encode(), answer[2]))


def _parts(order: dict[str, Any]) -> tuple[bytes, ...]:
    """Give an answer to what succeeded, in parts: `~` stands for the order number and for the waybill's."""
    done = {"success": True, "errorCode": sf.DONE, "errorMsg": None, "msgData": order}
    return tuple(_as_text(done).split(b"~"))


def _as_text(result: dict[str, Any]) -> bytes:
    return orjson.dumps(orjson.dumps(result).decode())


_PLACES = {"orderId": "~", "originCode": "571", "destCode": "755"}
_WAYBILLS = [{"waybillType": 1, "waybillNo": "~"}]
_DELIVERED = _parts({**_PLACES, "filterResult": 2, "remark": None, "waybillNoInfoList": _WAYBILLS})
_OUT_OF_RANGE = (*_parts({**_PLACES, "filterResult": 3, "remark": "1", "waybillNoInfoList": None}), b"")
_CANCEL_DONE = _parts({"orderId": "~", "waybillNoInfoList": _WAYBILLS, "resStatus": sf.CANCEL})


@functools.cache
def failure(code: str) -> bytes:
    """Give the answer that names one of the known errors."""
    return _as_text({"success": False, "errorCode": code, "errorMsg": TEXTS[code], "msgData": None})
