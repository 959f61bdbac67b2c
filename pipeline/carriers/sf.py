"""SF Express (丰桥): the signed form, the three calls of the waybill saga, and their two-level answers. Pure.

Sources: the pages of open.sf-express.com on EXP_RECE_CREATE_ORDER, EXP_RECE_SEARCH_ORDER_RESP and
EXP_RECE_UPDATE_ORDER, with their tables of result codes; the digest is that of SF's Java SDK.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

import msgspec
import orjson

from pipeline.carriers import ANSWER_BYTES_MAX, REASON_CHARACTERS_MAX, Reading
from pipeline.domain import reasons
from pipeline.domain.commands import Answer, CallKind
from pipeline.errors import PoisonError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.domain.commands import CallCarrier

CREATE_ORDER = "EXP_RECE_CREATE_ORDER"
SEARCH_ORDER = "EXP_RECE_SEARCH_ORDER_RESP"
UPDATE_ORDER = "EXP_RECE_UPDATE_ORDER"
SERVICES = {CallKind.CREATE: CREATE_ORDER, CallKind.QUERY: SEARCH_ORDER, CallKind.VOID: UPDATE_ORDER}
CANCEL = 2
"""`dealType`: 1 confirms an order, 2 cancels it. Its answer's `resStatus` is 2 when that was done."""
SENDER, RECEIVER = 1, 2
MAIN_WAYBILL = (1, "1")
"""`waybillType`: 1 the parcel's own, 2 a further parcel's, 3 the signed return's."""
WAYBILL_CHARACTERS_MAX = 64

ACCEPTED = "A1000"
"""The gateway took the request; what became of it is inside."""
NEVER_ACTED_ON = frozenset({"A1001", "A1002", "A1003", "A1004", "A1006", "A1008"})
"""Missing parameter, expired, IP, permission, signature, decryption: refused at the gateway, and again if repeated."""

DONE = "S0000"
DUPLICATE_ORDER = "8016"
NO_SUCH_ORDER = frozenset({"8018", "8024", "6150"})
"""未获取到订单信息, 未下单, 订单不存在. [assumption] SF's table of EXP_RECE_UPDATE_ORDER lists 8018 for an order number
that it does not know; the other two mean the same in its general table, so all are read alike, for queries too."""
ALREADY_CANCELLED = frozenset({"8037", "8253"})
"""已消单, 订单已取消."""
SYSTEM_ERROR = "4001"
"""系统发生数据错误或运行时异常."""
NEEDS_A_PERSON, OUT_OF_RANGE = (1, "1"), (3, "3")
"""`filterResult`; 2 is deliverable."""

_ESCAPES = [chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f"%{byte:02X}" for byte in range(256)]
for _kept in ".-*_":
    _ESCAPES[ord(_kept)] = _kept
_ESCAPES[ord(" ")] = "+"


_PLAIN, _WORDS = re.compile(rb"[A-Za-z0-9.*_-]*"), re.compile(r"[A-Za-z0-9.*_ -]*")

REPEATED_MAX = 4096
"""Senders, places and SKUs that are encoded once and not for every order."""


class Sender(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who sends from a warehouse, as SF's courier is told."""

    contact: str = ""
    company: str = ""
    mobile: str = ""
    tel: str = ""
    province: str = ""
    city: str = ""
    county: str = ""
    address: str = ""


class SF(msgspec.Struct, frozen=True, kw_only=True):
    """SF's format for one customer of SF. A warehouse that `senders` does not name is its own contact and address."""

    url: str
    partner_id: str
    check_word: str
    monthly_card: str = ""
    senders: dict[str, Sender] = {}

    def request(self, command: CallCarrier, at_ms: int, request_id: str) -> bytes:
        """Give the signed form. Raises PoisonError for a create without a receiver."""
        message = self._message(command).encode("ascii")
        signature = digest(message, at_ms, self.check_word)
        head = (
            f"partnerID={_repeated_url_encoded(self.partner_id)}&requestID={request_id}"
            f"&serviceCode={SERVICES[command.kind]}&timestamp={at_ms}&msgDigest={_base64_url_encoded(signature)}&msgData="
        )
        return head.encode("ascii") + message

    def read(self, command: CallCarrier, body: bytes) -> Reading:
        """Read the answer's two levels. Whatever leaves a doubt is UNKNOWN."""
        if len(body) > ANSWER_BYTES_MAX:
            return Reading(Answer.UNKNOWN, reason=f"the answer is larger than {ANSWER_BYTES_MAX} bytes")
        try:
            envelope = _ENVELOPE.decode(body)
            if envelope.api_result_code != ACCEPTED:
                return _gateway_refused(command.kind, envelope)
            if envelope.api_result_data is None:
                return Reading(Answer.UNKNOWN, reason="apiResultData: missing")
            result = _RESULT.decode(envelope.api_result_data)
            if result.error_code == DONE and result.success in (True, "true"):
                return _DONE[command.kind](command, _ORDER.decode(result.msg_data))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Reading(Answer.UNKNOWN, reason=_short(f"the answer cannot be read: {error}"))
        return _failed(command.kind, result)

    def _message(self, command: CallCarrier) -> str:
        """Give the message as JSON, URL-encoded."""
        key = _json(command.key)
        if command.kind is CallKind.QUERY:
            return f"{_ORDER_ID}{key}{_END}"
        if command.kind is CallKind.VOID:
            return f"{_ORDER_ID}{key}{_VOID_END}"
        to = command.ship_to
        if to is None:
            raise PoisonError(reasons.INVALID, "a create needs a receiver", "ship_to")
        sender = self.senders.get(command.warehouse) or Sender(contact=command.warehouse, address=command.warehouse)
        goods = _COMMA.join([_cargo(line.sku, line.units) for line in command.units])
        return (
            f"{_ORDER_ID}{key}{_GOODS}{goods}{_CONTACTS}{_contact(sender)}{_RECEIVER}{_json(to.name)}"
            f"{_MOBILE}{_json(to.phone)}{_place(to.province, to.city, to.district)}{_json(to.address_detail)}"
            f"{_CARD}{_repeated(self.monthly_card)}{_CREATE_END}"
        )


def url_encoded(text: bytes) -> str:
    """Encode as Java's URLEncoder does: `*` stays, `~` is `%7E`, a space `+`. Byte by byte, so parts can be joined."""
    return text.decode("ascii") if _PLAIN.fullmatch(text) else "".join(map(_ESCAPES.__getitem__, text))


def digest(encoded_message: bytes, at_ms: int, check_word: str) -> str:
    """Sign a message that is URL-encoded already: base64(md5(URLEncoder(msgData + timestamp + checkWord)))."""
    signed = b"%b%d%b" % (encoded_message, at_ms, _repeated_url_encoded(check_word).encode("ascii"))
    return binascii.b2a_base64(hashlib.md5(signed, usedforsecurity=False).digest(), newline=False).decode("ascii")


def _base64_url_encoded(text: str) -> str:
    """URL-encode what is base64: three of its characters are none of a form's."""
    return text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")


@lru_cache(REPEATED_MAX)
def _repeated_url_encoded(text: str) -> str:
    return url_encoded(text.encode())


def _json(text: str) -> str:
    """Give a text as JSON, URL-encoded."""
    return f"%22{text.replace(' ', '+')}%22" if _WORDS.fullmatch(text) else url_encoded(orjson.dumps(text))


_repeated = lru_cache(REPEATED_MAX)(_json)


@lru_cache(REPEATED_MAX)
def _contact(sender: Sender) -> str:
    contact = {"contactType": SENDER, "country": "CN", **msgspec.structs.asdict(sender)}
    return url_encoded(orjson.dumps(contact))


@lru_cache(REPEATED_MAX)
def _cargo(sku: str, units: int) -> str:
    return f"{_NAME}{_json(sku)}{_COUNT}{units}{_END}"


@lru_cache(REPEATED_MAX)
def _place(province: str, city: str, district: str) -> str:
    return f"{_PROVINCE}{_json(province)}{_CITY}{_json(city)}{_COUNTY}{_json(district)}{_ADDRESS}"


def _parts(message: str) -> list[str]:
    """URL-encode what never changes of a message: the parts between its values, for each of which a `~` stands."""
    return [url_encoded(part.encode()) for part in message.split("~")]


_COMMA = url_encoded(b",")
_ORDER_ID, _END = _parts('{"language":"zh-CN","orderId":~}')
_, _VOID_END = _parts(f'~,"dealType":{CANCEL}}}')
_NAME, _COUNT, _ = _parts('{"name":~,"count":~}')
_, _GOODS, _CONTACTS, _RECEIVER, _MOBILE, _PROVINCE, _CITY, _COUNTY, _ADDRESS, _CARD, _CREATE_END = _parts(
    '~,"cargoDetails":[~],"contactInfoList":[~,'
    f'{{"contactType":{RECEIVER},"contact":~,"mobile":~,"country":"CN","province":~,"city":~,"county":~,"address":~}}],'
    '"monthlyCard":~,"payMethod":1,"expressTypeId":1,"parcelQty":1,"isGenWaybillNo":1}'
)


# --- answers ---


class _Envelope(msgspec.Struct, rename="camel"):
    api_result_code: str
    api_error_msg: str | None = None
    api_result_data: str | None = None


class _Result(msgspec.Struct, rename="camel"):
    success: bool | str | None = None
    error_code: str | None = None
    error_msg: str | None = None
    msg_data: msgspec.Raw = msgspec.Raw(b"null")


class _Waybill(msgspec.Struct, rename="camel"):
    waybill_no: Annotated[str, msgspec.Meta(min_length=1, max_length=WAYBILL_CHARACTERS_MAX)]
    waybill_type: int | str = MAIN_WAYBILL[0]


class _Order(msgspec.Struct, rename="camel"):
    order_id: str | None = None
    filter_result: int | str | None = None
    remark: str | None = None
    res_status: int | str | None = None
    waybill_no_info_list: list[_Waybill] | None = None


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_RESULT = msgspec.json.Decoder(_Result)
_ORDER = msgspec.json.Decoder(_Order)


def _gateway_refused(kind: CallKind, envelope: _Envelope) -> Reading:
    """Read a refusal at the gateway. That a query was refused says nothing about the order that it asked for."""
    reason = _short(f"{envelope.api_result_code} {envelope.api_error_msg or ''}")
    if envelope.api_result_code in NEVER_ACTED_ON and kind is not CallKind.QUERY:
        return Reading(Answer.REFUSED, reason=reason)
    return Reading(Answer.UNKNOWN, reason=reason)


def _failed(kind: CallKind, result: _Result) -> Reading:
    """Read a business failure.

    A void that fails for any other reason than absence or repetition is refused: 8019 (订单已确认或已消单) leaves
    open which of the two it was, and units of a parcel that may be on its way must not be freed.
    """
    code, reason = result.error_code or "", _short(f"{result.error_code} {result.error_msg or ''}")
    if not code or code in {DONE, SYSTEM_ERROR}:
        return Reading(Answer.UNKNOWN, reason=reason)
    if code == DUPLICATE_ORDER and kind is CallKind.CREATE:
        return Reading(Answer.UNKNOWN, reason=reason, exists=True)
    if code in NO_SUCH_ORDER and kind is not CallKind.CREATE:
        return Reading(Answer.ABSENT, reason=reason)
    if code in ALREADY_CANCELLED and kind is CallKind.VOID:
        return Reading(Answer.OK, reason=reason)
    if kind is CallKind.QUERY and code not in ALREADY_CANCELLED:
        return Reading(Answer.UNKNOWN, reason=reason)
    return Reading(Answer.REFUSED, reason=reason)


def _read_order(command: CallCarrier, order: _Order) -> Reading:
    """Read the order that a create made or a query found."""
    if order.order_id != command.key:
        return Reading(Answer.UNKNOWN, reason=_short(f"orderId: the answer is not about {command.key}"))
    if order.filter_result in OUT_OF_RANGE:
        return Reading(Answer.REFUSED, reason=_short(f"filterResult 3: not deliverable, remark {order.remark}"))
    if order.filter_result in NEEDS_A_PERSON:
        return Reading(Answer.UNKNOWN, reason="filterResult 1: a person at the carrier decides")
    for waybill in order.waybill_no_info_list or ():
        if waybill.waybill_type in MAIN_WAYBILL:
            return Reading(Answer.OK, waybill.waybill_no)
    return Reading(Answer.UNKNOWN, reason="waybillNoInfoList: no main waybill")


def _read_void(command: CallCarrier, order: _Order) -> Reading:
    """Read the answer to a cancel."""
    if order.order_id not in {None, command.key}:
        return Reading(Answer.UNKNOWN, reason=_short(f"orderId: the answer is not about {command.key}"))
    if str(order.res_status) != str(CANCEL):
        return Reading(Answer.UNKNOWN, reason=f"resStatus: {order.res_status}"[:REASON_CHARACTERS_MAX])
    return Reading(Answer.OK)


_DONE: Mapping[CallKind, Callable[[CallCarrier, _Order], Reading]] = {
    CallKind.CREATE: _read_order,
    CallKind.QUERY: _read_order,
    CallKind.VOID: _read_void,
}


def _short(reason: str) -> str:
    return reason.strip()[:REASON_CHARACTERS_MAX]
