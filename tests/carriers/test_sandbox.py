from __future__ import annotations

import asyncio
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from pipeline.carriers import sf
from pipeline.carriers.sandbox_book import Accepted, Cancelled, Moved, Refused
from pipeline.domain.commands import Answer, CallKind
from pipeline.services.process import is_alive, kill, stop, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.carriers.conftest import Caller, Sandbox

    Start = Callable[..., Sandbox]

QUERY, VOID = CallKind.QUERY, CallKind.VOID
OK, ABSENT, REFUSED, UNKNOWN = Answer.OK, Answer.ABSENT, Answer.REFUSED, Answer.UNKNOWN
QUIET = ("--report-interval-seconds", "3600")
DEADLINE_SECONDS = 20.0
SHORT_SECONDS = 0.3


def post(url: str, body: bytes) -> tuple[int, bytes]:
    async def posting() -> tuple[int, bytes]:
        async with aiohttp.ClientSession() as session, session.post(url, data=body) as response:
            return response.status, await response.read()

    return asyncio.run(posting())


def change(sandbox: Sandbox, **settings: float) -> None:
    assert post(f"{sandbox.url}/control", orjson.dumps(settings))[0] == HTTPStatus.OK


def accepted(sandbox: Sandbox) -> Counter[str]:
    return Counter(entry.order_id for entry in sandbox.entries() if isinstance(entry, Accepted))


def collected(sandbox: Sandbox, key: str) -> Callable[[], bool]:
    return lambda: any(isinstance(entry, Moved) and entry.order_id == key for entry in sandbox.entries())


def test_an_order_gets_one_waybill_however_often_it_is_created(start_sandbox: Start, caller: Caller) -> None:
    sandbox = start_sandbox(*QUIET)
    orders = [caller.command(f"o-{number}") for number in range(50)]
    first = {answer.key: answer.waybill_no for answer in caller.call(sandbox.url, orders)}
    again = caller.call(sandbox.url, orders)
    assert {(answer.answer, answer.reason) for answer in again} == {(OK, "")}
    assert {answer.key: answer.waybill_no for answer in again} == first
    assert len(set(first.values())) == len(orders)
    assert accepted(sandbox) == dict.fromkeys(first, 1)


def test_a_query_finds_what_was_created_and_nothing_else(start_sandbox: Start, caller: Caller) -> None:
    sandbox = start_sandbox(*QUIET)
    (created,) = caller.call(sandbox.url, [caller.command("o-1")])
    found, absent = caller.call(sandbox.url, [caller.command("o-1", QUERY), caller.command("o-2", QUERY)])
    assert (found.answer, found.waybill_no) == (OK, created.waybill_no)
    assert (absent.answer, absent.reason) == (ABSENT, "8018 未获取到订单信息")


def test_a_void_holds_and_can_be_repeated(start_sandbox: Start, caller: Caller) -> None:
    sandbox = start_sandbox(*QUIET)
    caller.call(sandbox.url, [caller.command("o-1")])
    answers = [
        caller.call(sandbox.url, [caller.command(key, kind)])[0].answer
        for key, kind in (("o-1", VOID), ("o-1", VOID), ("o-1", QUERY), ("o-1", CallKind.CREATE), ("o-2", VOID))
    ]
    assert answers == [OK, OK, REFUSED, REFUSED, ABSENT]
    assert [type(entry) for entry in sandbox.entries()] == [Accepted, Cancelled]


def test_a_collected_parcel_cannot_be_voided(start_sandbox: Start, caller: Caller) -> None:
    sandbox = start_sandbox("--report-interval-seconds", "0")
    caller.call(sandbox.url, [caller.command("o-1")])
    assert wait_until(collected(sandbox, "o-1"), DEADLINE_SECONDS)
    (answer,) = caller.call(sandbox.url, [caller.command("o-1", VOID)])
    assert (answer.answer, answer.reason) == (REFUSED, "8019 订单已确认或已消单")


def test_an_order_whose_answer_was_lost_is_found_by_a_query(
    start_sandbox: Start, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = start_sandbox(*QUIET, "--lost-share", "1")
    with monkeypatch.context() as patched:
        patched.setattr("pipeline.carriers.caller.CALL_TIMEOUT_SECONDS", SHORT_SECONDS)
        (lost,) = caller.call(sandbox.url, [caller.command("o-1")])
    change(sandbox, lost_share=0)
    (found,) = caller.call(sandbox.url, [caller.command("o-1", QUERY)])
    (entry,) = sandbox.entries()
    assert (lost.answer, found.answer) == (UNKNOWN, OK)
    assert isinstance(entry, Accepted)
    assert (entry.waybill_no, entry.answered) == (found.waybill_no, False)


def test_errors_come_before_and_after_the_deed_and_never_double_it(start_sandbox: Start, caller: Caller) -> None:
    sandbox = start_sandbox(*QUIET, "--error-share", "1")
    orders = [caller.command(f"o-{number}") for number in range(50)]
    reasons = Counter(answer.reason for answer in caller.call(sandbox.url, orders))
    assert set(reasons) == {"HTTP status 503", "A1099"}
    assert accepted(sandbox).total() == reasons["A1099"]
    change(sandbox, error_share=0)
    assert {answer.answer for answer in caller.call(sandbox.url, orders)} == {OK}
    assert accepted(sandbox) == dict.fromkeys((order.key for order in orders), 1)


def test_orders_out_of_range_are_refused_for_good(start_sandbox: Start, caller: Caller) -> None:
    sandbox = start_sandbox(*QUIET, "--refuse-share", "1")
    answers = [
        caller.call(sandbox.url, [caller.command("o-1", kind)])[0].answer
        for kind in (CallKind.CREATE, CallKind.CREATE, QUERY)
    ]
    assert answers == [REFUSED, REFUSED, REFUSED]
    assert [type(entry) for entry in sandbox.entries()] == [Refused]


def test_a_killed_sandbox_goes_on_with_its_book(start_sandbox: Start, caller: Caller) -> None:
    first = start_sandbox(*QUIET)
    orders = [caller.command(f"o-{number}") for number in range(20)]
    before = {answer.key: answer.waybill_no for answer in caller.call(first.url, orders)}
    caller.call(first.url, [caller.command("o-0", VOID)])
    kill(first.process)
    second = start_sandbox(*QUIET)
    after = {answer.key: answer.waybill_no for answer in caller.call(second.url, orders[1:])}
    voided, new = caller.call(second.url, [caller.command("o-0", VOID), caller.command("o-new")])
    assert after == {key: number for key, number in before.items() if key != "o-0"}
    assert (voided.answer, new.answer, new.waybill_no in before.values()) == (OK, OK, False)


def test_a_lost_answer_does_not_hold_up_the_stop(start_sandbox: Start, caller: Caller) -> None:
    sandbox = start_sandbox(*QUIET, "--lost-share", "1")

    async def stopping() -> None:
        calling = asyncio.create_task(caller.call_all(sandbox.url, [caller.command("o-1")]))
        while not await asyncio.to_thread(sandbox.entries):
            assert not calling.done()
        await asyncio.to_thread(stop, sandbox.process)
        (answer,) = await calling
        assert answer.answer is UNKNOWN

    asyncio.run(stopping())
    assert not is_alive(sandbox.process)
    assert "Traceback" not in sandbox.process.log.read_text()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"msgDigest": "AAAA"}, "A1006"),
        ({"timestamp": "soon"}, "A1006"),
        ({"msgData": ""}, "A1001"),
        ({"partnerID": ""}, "A1001"),
        ({"serviceCode": "EXP_RECE_SEARCH_ROUTES"}, "A1004"),
    ],
)
def test_the_gateway_of_the_sandbox_refuses_as_sf_does(
    quiet_sandbox: Sandbox, changed: Mapping[str, str], code: str
) -> None:
    assert ask(quiet_sandbox, b'{"orderId":"o-1"}', **changed)["apiResultCode"] == code


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"{", "4002"),
        (b"[]", "4002"),
        (b"{}", "6118"),
        (b'{"orderId":5}', "6118"),
        (b'{"orderId":"o-1"}', "6117"),
        (b'{"orderId":"o-1","contactInfoList":[{"contactType":2,"address":""}, 7]}', "6117"),
    ],
)
def test_an_order_that_says_too_little_is_refused(quiet_sandbox: Sandbox, message: bytes, code: str) -> None:
    result = orjson.loads(ask(quiet_sandbox, message)["apiResultData"])
    assert (result["success"], result["errorCode"]) == (False, code)


@pytest.mark.parametrize("body", [b"", b"&&==", b"msgData=%zz", b"msgData=\\x41", b"\xff=1", b"msgData=%ff", b"a%"])
def test_a_form_that_cannot_be_read_misses_its_parameters(quiet_sandbox: Sandbox, body: bytes) -> None:
    status, answer = post(f"{quiet_sandbox.url}/std/service", body)
    assert (status, orjson.loads(answer)["apiResultCode"]) == (HTTPStatus.OK, "A1001")


def test_a_signed_request_with_every_kind_of_character_is_understood(quiet_sandbox: Sandbox, caller: Caller) -> None:
    (answer,) = caller.call(quiet_sandbox.url, [caller.command("号 ~*+%&=\\\"'/?\n")])
    assert answer.answer is OK


def test_a_setting_that_cannot_be_is_named_and_changes_nothing(start_sandbox: Start) -> None:
    sandbox = start_sandbox("--lost-share", "0.5")
    status, text = post(f"{sandbox.url}/control", b'{"slow_share":0.6}')
    assert (status, b"slow_share + error_share + lost_share" in text) == (HTTPStatus.BAD_REQUEST, True)
    shown = orjson.loads(post(f"{sandbox.url}/control", b"{}")[1])
    assert (shown["behaviour"]["lost_share"], shown["behaviour"]["slow_share"]) == (0.5, 0)


def ask(sandbox: Sandbox, message: bytes, **changed: str) -> dict[str, Any]:
    """Post a signed create, with some parameters changed after the signing."""
    encoded = sf.url_encoded(message).encode()
    form = {
        "partnerID": "P",
        "requestID": "r",
        "serviceCode": sf.CREATE_ORDER,
        "timestamp": "1",
        "msgDigest": sf.digest(encoded, 1, "cw"),
        "msgData": message.decode(),
        **changed,
    }
    body = "&".join(f"{name}={sf.url_encoded(value.encode())}" for name, value in form.items())
    answer: dict[str, Any] = orjson.loads(post(f"{sandbox.url}/std/service", body.encode())[1])
    return answer
