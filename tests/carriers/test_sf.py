from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, quote_plus

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.carriers import ANSWER_BYTES_MAX, REASON_CHARACTERS_MAX
from pipeline.carriers.sf import SF, Sender, digest, url_encoded
from pipeline.domain.commands import Answer, CallCarrier, CallKind
from pipeline.domain.orders import ShipTo, SkuUnits
from pipeline.errors import PoisonError

CREATE, QUERY, VOID = CallKind.CREATE, CallKind.QUERY, CallKind.VOID
OK, ABSENT, REFUSED, UNKNOWN = Answer.OK, Answer.ABSENT, Answer.REFUSED, Answer.UNKNOWN
KEY = "0d1e-1"
SHIP_TO = ShipTo(
    name="张三", phone="13800138000", province="广东省", city="深圳市", district="南山区", address_detail="科技园 ~1*号"
)
FORMAT = SF(url="http://127.0.0.1", partner_id="HOLD~FAST", check_word="cw", senders={"WH-1": Sender(contact="李四")})


def command(kind: CallKind) -> CallCarrier:
    return CallCarrier(
        at=1,
        fulfilment_id=KEY,
        key=KEY,
        kind=kind,
        carrier="sf",
        warehouse="WH-1",
        units=(SkuUnits("A", 2), SkuUnits("B", 1)),
        ship_to=SHIP_TO if kind is CREATE else None,
    )


def answer(result: Any, code: str = "A1000") -> bytes:  # noqa: ANN401  any JSON
    return orjson.dumps(
        {
            "apiErrorMsg": "",
            "apiResponseID": "00018F",
            "apiResultCode": code,
            "apiResultData": None if result is None else orjson.dumps(result).decode(),
        }
    )


def done(**order: Any) -> bytes:  # noqa: ANN401  any JSON
    found = {"orderId": KEY, "filterResult": 2, "waybillNoInfoList": [{"waybillType": 1, "waybillNo": "SF1"}]}
    return answer({"success": True, "errorCode": "S0000", "errorMsg": None, "msgData": {**found, **order}})


def failed(code: str | None) -> bytes:
    return answer({"success": False, "errorCode": code, "errorMsg": "why", "msgData": None})


def test_the_digest_is_the_golden_one() -> None:
    assert digest(url_encoded(b'{"a":1}').encode(), 1700000000000, "cw") == "MTi764CWVlVMKjj8p0kGeQ=="


@given(st.binary())
def test_text_is_encoded_as_java_does(text: bytes) -> None:
    assert url_encoded(text) == quote_plus(text, safe="*").replace("~", "%7E")


def test_a_create_carries_the_order_and_is_signed_over_what_it_sends() -> None:
    form = parse_qs(FORMAT.request(command(CREATE), 1700000000000, "r-1").decode(), strict_parsing=True)
    message = form["msgData"][0]
    signature = digest(url_encoded(message.encode()).encode(), 1700000000000, "cw")
    assert {name: value for name, (value,) in form.items() if name != "msgData"} == {
        "partnerID": "HOLD~FAST",
        "requestID": "r-1",
        "serviceCode": "EXP_RECE_CREATE_ORDER",
        "timestamp": "1700000000000",
        "msgDigest": signature,
    }
    sent = orjson.loads(message)
    sender, receiver = sent["contactInfoList"]
    assert (sent["orderId"], sent["cargoDetails"]) == (KEY, [{"name": "A", "count": 2}, {"name": "B", "count": 1}])
    assert (sender["contactType"], sender["contact"]) == (1, "李四")
    assert (receiver["contactType"], receiver["mobile"], receiver["address"]) == (2, "13800138000", "科技园 ~1*号")


def test_a_warehouse_without_a_sender_is_its_own() -> None:
    form = parse_qs(msgspec.structs.replace(FORMAT, senders={}).request(command(CREATE), 1, "r").decode())
    sender = orjson.loads(form["msgData"][0])["contactInfoList"][0]
    assert (sender["contact"], sender["address"]) == ("WH-1", "WH-1")


@pytest.mark.parametrize(
    ("kind", "service", "message"),
    [
        (QUERY, "EXP_RECE_SEARCH_ORDER_RESP", {"language": "zh-CN", "orderId": KEY}),
        (VOID, "EXP_RECE_UPDATE_ORDER", {"language": "zh-CN", "orderId": KEY, "dealType": 2}),
    ],
)
def test_queries_and_voids_name_the_order(kind: CallKind, service: str, message: dict[str, object]) -> None:
    form = parse_qs(FORMAT.request(command(kind), 1, "r").decode())
    assert (form["serviceCode"], orjson.loads(form["msgData"][0])) == ([service], message)


def test_a_create_without_a_receiver_is_refused_before_it_is_sent() -> None:
    with pytest.raises(PoisonError, match="ship_to"):
        FORMAT.request(msgspec.structs.replace(command(CREATE), ship_to=None), 1, "r")


@pytest.mark.parametrize(
    ("body", "create", "query", "void"),
    [
        (done(), OK, OK, UNKNOWN),
        (done(filterResult="2"), OK, OK, UNKNOWN),
        (done(resStatus=2), OK, OK, OK),
        (done(resStatus="2", orderId=None), UNKNOWN, UNKNOWN, OK),
        (done(resStatus=1), OK, OK, UNKNOWN),
        (done(resStatus=2, orderId="another"), UNKNOWN, UNKNOWN, UNKNOWN),
        (done(filterResult=3, remark="1"), REFUSED, REFUSED, UNKNOWN),
        (done(filterResult=1), UNKNOWN, UNKNOWN, UNKNOWN),
        (done(waybillNoInfoList=None), UNKNOWN, UNKNOWN, UNKNOWN),
        (done(waybillNoInfoList=[{"waybillType": 2, "waybillNo": "SF2"}]), UNKNOWN, UNKNOWN, UNKNOWN),
        (done(waybillNoInfoList=[{"waybillType": 1, "waybillNo": ""}]), UNKNOWN, UNKNOWN, UNKNOWN),
        (failed("8016"), UNKNOWN, UNKNOWN, REFUSED),
        (failed("8018"), REFUSED, ABSENT, ABSENT),
        (failed("8024"), REFUSED, ABSENT, ABSENT),
        (failed("6150"), REFUSED, ABSENT, ABSENT),
        (failed("8037"), REFUSED, REFUSED, OK),
        (failed("8253"), REFUSED, REFUSED, OK),
        (failed("8019"), REFUSED, UNKNOWN, REFUSED),
        (failed("8252"), REFUSED, UNKNOWN, REFUSED),
        (failed("4001"), UNKNOWN, UNKNOWN, UNKNOWN),
        (failed("6126"), REFUSED, UNKNOWN, REFUSED),
        (failed(None), UNKNOWN, UNKNOWN, UNKNOWN),
        (failed("S0000"), UNKNOWN, UNKNOWN, UNKNOWN),
        *((answer(None, code), REFUSED, UNKNOWN, REFUSED) for code in ("A1001", "A1002", "A1003")),
        *((answer(None, code), REFUSED, UNKNOWN, REFUSED) for code in ("A1004", "A1006", "A1008")),
        *((answer(None, code), UNKNOWN, UNKNOWN, UNKNOWN) for code in ("A1005", "A1007", "A1009", "A1099", "A9999")),
        (answer(None), UNKNOWN, UNKNOWN, UNKNOWN),
        (answer([]), UNKNOWN, UNKNOWN, UNKNOWN),
        (b"", UNKNOWN, UNKNOWN, UNKNOWN),
        (b"<html>502</html>", UNKNOWN, UNKNOWN, UNKNOWN),
        (done()[:-9], UNKNOWN, UNKNOWN, UNKNOWN),
        (b"\xff" + done(), UNKNOWN, UNKNOWN, UNKNOWN),
        (b"[" * 100_000, UNKNOWN, UNKNOWN, UNKNOWN),
        (done() + b" " * ANSWER_BYTES_MAX, UNKNOWN, UNKNOWN, UNKNOWN),
    ],
)
def test_every_answer_has_its_class(body: bytes, create: Answer, query: Answer, void: Answer) -> None:
    read = {kind: FORMAT.read(command(kind), body).answer for kind in CallKind}
    assert read == {CREATE: create, QUERY: query, VOID: void}


def test_an_issued_waybill_comes_with_its_number() -> None:
    waybills = [{"waybillType": 2, "waybillNo": "SF2"}, {"waybillType": "1", "waybillNo": "SF1"}]
    reading = FORMAT.read(command(CREATE), done(waybillNoInfoList=waybills))
    assert (reading.answer, reading.waybill_no, reading.exists) == (OK, "SF1", False)


def test_a_repeated_create_says_that_the_order_exists() -> None:
    assert FORMAT.read(command(CREATE), failed("8016")).exists
    assert not FORMAT.read(command(CREATE), failed("4001")).exists


def test_a_refusal_names_the_carriers_reason() -> None:
    assert FORMAT.read(command(CREATE), failed("6126")).reason == "6126 why"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
RESULT = st.fixed_dictionaries(
    {},
    optional={
        "success": JSON | st.just(True),  # noqa: FBT003  a value, not a flag
        "errorCode": JSON | st.sampled_from(["S0000", "8016", "8018"]),
        "errorMsg": JSON | st.text(min_size=REASON_CHARACTERS_MAX),
        "msgData": JSON
        | st.fixed_dictionaries(
            {
                "orderId": JSON | st.just(KEY),
                "filterResult": JSON | st.sampled_from([1, 2, 3]),
                "waybillNoInfoList": JSON | st.lists(st.fixed_dictionaries({"waybillType": JSON, "waybillNo": JSON})),
            }
        ),
    },
)


def answer_of(value: Any) -> bytes:  # noqa: ANN401  any JSON
    return json.dumps({"apiResultCode": "A1000", "apiErrorMsg": "", "apiResultData": json.dumps(value)}).encode()


@given(st.sampled_from(list(CallKind)), st.binary() | (JSON | RESULT).map(answer_of))
def test_whatever_comes_back_is_read(kind: CallKind, body: bytes) -> None:
    reading = FORMAT.read(command(kind), body)
    assert len(reading.reason) <= REASON_CHARACTERS_MAX
    if reading.answer is OK and kind is not VOID:
        assert reading.waybill_no
