"""The sandbox's carrier: its orders, its three services, its parcels' way. No clock and no network of its own."""

from __future__ import annotations

import functools
import heapq
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipeline.carriers import sf
from pipeline.carriers.sandbox_behaviour import draw
from pipeline.carriers.sandbox_book import Accepted, AnyEntry, Cancelled, Moved, Refused, Reported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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


class Deed(NamedTuple):
    """What a service did: the business answer (`apiResultData`), and the entry to write before it is given."""

    result: str
    entry: Callable[[bool], AnyEntry] | None = None
    """From whether the answer is let through."""


class Carrier:
    """The carrier's memory: nothing but what its book says."""

    def __init__(self, entries: Iterable[AnyEntry], behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.parcels: dict[str, Parcel] = {}
        self._due: list[tuple[int, int, Parcel]] = []
        self._turns = 0
        self.unreported = self._restore(entries)
        """The routes that no push was acknowledged for, as after a crash; in their order."""

    def serve(self, service: str, message: dict[str, Any], now_ms: int) -> Deed:
        """Do what a request wants."""
        order_id = message.get("orderId")
        if not isinstance(order_id, str) or not order_id:
            return Deed(failure(ORDER_ID_MISSING))
        if service == sf.CREATE_ORDER:
            return self._create(order_id, message, now_ms)
        parcel = self.parcels.get(order_id)
        if parcel is None:
            return Deed(failure(NOT_FOUND))
        if service == sf.UPDATE_ORDER:
            return self._cancel(parcel, message, now_ms)
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

    def _create(self, order_id: str, message: dict[str, Any], now_ms: int) -> Deed:
        if not _receiver_address(message):
            return Deed(failure(RECEIVER_MISSING))
        if order_id in self.parcels:
            return Deed(failure(sf.DUPLICATE_ORDER))
        if self.behaviour.refuses(order_id):
            parcel = self.parcels[order_id] = Parcel(order_id, "", now_ms)
            return Deed(_found(parcel), lambda answered: Refused(at=now_ms, order_id=order_id, answered=answered))
        number = f"SF{FIRST_WAYBILL + len(self.parcels)}"
        parcel = self.parcels[order_id] = Parcel(order_id, number, now_ms)
        self._schedule(parcel)
        return Deed(
            _found(parcel),
            lambda answered: Accepted(at=now_ms, order_id=order_id, waybill_no=number, answered=answered),
        )

    def _cancel(self, parcel: Parcel, message: dict[str, Any], now_ms: int) -> Deed:
        if str(message.get("dealType")) != str(sf.CANCEL):
            return Deed(failure(BAD_DEAL_TYPE))
        if parcel.cancelled:
            return Deed(failure(CANCELLED))
        if parcel.step > 0:
            return Deed(failure(CONFIRMED_OR_CANCELLED))
        parcel.cancelled = True
        order_id = parcel.order_id
        done = _success({"orderId": order_id, "waybillNoInfoList": _waybills(parcel), "resStatus": sf.CANCEL})
        return Deed(done, lambda answered: Cancelled(at=now_ms, order_id=order_id, answered=answered))

    def _schedule(self, parcel: Parcel) -> None:
        if parcel.step < len(STEPS):
            self._turns += 1
            due = parcel.at + int(self.behaviour.report_interval_seconds * 1000)
            heapq.heappush(self._due, (due, self._turns, parcel))

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


def _receiver_address(message: dict[str, Any]) -> bool:
    contacts = message.get("contactInfoList")
    if not isinstance(contacts, list):
        return False
    receivers = [
        contact for contact in contacts if isinstance(contact, dict) and contact.get("contactType") == sf.RECEIVER
    ]
    return any(receiver.get("address") for receiver in receivers)


def _waybills(parcel: Parcel) -> list[dict[str, Any]]:
    return [{"waybillType": 1, "waybillNo": parcel.waybill_no}]


def _found(parcel: Parcel) -> str:
    """Answer a create or a search."""
    order: dict[str, Any] = {"orderId": parcel.order_id, "originCode": "571", "destCode": "755"}
    if parcel.refused:
        return _success({**order, "filterResult": 3, "remark": "1", "waybillNoInfoList": None})
    return _success({**order, "filterResult": 2, "remark": None, "waybillNoInfoList": _waybills(parcel)})


def _success(message: dict[str, Any]) -> str:
    return orjson.dumps({"success": True, "errorCode": sf.DONE, "errorMsg": None, "msgData": message}).decode()


@functools.cache
def failure(code: str) -> str:
    """Give the answer that names one of the known errors."""
    return orjson.dumps({"success": False, "errorCode": code, "errorMsg": TEXTS[code], "msgData": None}).decode()
