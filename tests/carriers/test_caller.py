from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import msgspec
import orjson
import pytest
from aiohttp import web

from pipeline.carriers import ANSWER_BYTES_MAX, metrics
from pipeline.carriers.caller import _request_ids, connect
from pipeline.domain.commands import Answer, CallKind
from pipeline.errors import SettingsError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.domain.commands import CallCarrier
    from tests.carriers.conftest import Caller

SHORT_SECONDS = 0.2


def ok(result: object) -> web.Response:
    return web.Response(body=orjson.dumps({"apiResultCode": "A1000", "apiResultData": orjson.dumps(result).decode()}))


def issued(key: str) -> web.Response:
    waybills = [{"waybillType": 1, "waybillNo": "SF9"}]
    return ok({"success": True, "errorCode": "S0000", "msgData": {"orderId": key, "waybillNoInfoList": waybills}})


def failed(code: str) -> web.Response:
    return ok({"success": False, "errorCode": code, "errorMsg": "", "msgData": None})


async def break_off(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def say_nothing(_request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    return web.Response()


async def fail(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=503)


async def redirect(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "/elsewhere"})


async def talk_nonsense(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>")


async def talk_without_end(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(ANSWER_BYTES_MAX // 1024 + 2):
        await response.write(b" " * 1024)
    await asyncio.Event().wait()
    return response


async def stop_half_way(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"apiResultCode"')
    return await break_off(request)


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (break_off, "no answer: hung up"),
        (say_nothing, "no answer within 0.2 s"),
        (fail, "HTTP status 503"),
        (redirect, "HTTP status 302"),
        (talk_nonsense, "the answer cannot be read"),
        (talk_without_end, "the answer is larger than"),
        (stop_half_way, "the answer is cut short"),
    ],
)
@pytest.mark.parametrize("kind", list(CallKind))
def test_what_the_world_does_is_unknown(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, serve: object, reason: str, kind: CallKind
) -> None:
    monkeypatch.setattr("pipeline.carriers.caller.CALL_TIMEOUT_SECONDS", SHORT_SECONDS)
    answer = caller.call_against(serve, caller.command("o-1", kind))  # type: ignore[arg-type]
    assert (answer.answer, answer.kind, answer.key, answer.waybill_no) == (Answer.UNKNOWN, kind, "o-1", "")
    assert answer.reason.startswith(reason)


def test_a_port_where_nobody_listens_is_unknown(caller: Caller) -> None:
    (answer,) = caller.call("http://127.0.0.1:1", [caller.command("o-1")])
    assert (answer.answer, "ConnectionRefusedError" in answer.reason) == (Answer.UNKNOWN, True)


@pytest.mark.parametrize(
    ("found", "answer", "waybill_no"),
    [
        (issued("o-1"), Answer.OK, "SF9"),
        (failed("8018"), Answer.UNKNOWN, ""),
        (failed("8037"), Answer.REFUSED, ""),
        (web.Response(status=500), Answer.UNKNOWN, ""),
    ],
)
def test_an_order_that_the_carrier_has_already_is_asked_for(
    caller: Caller, found: web.Response, answer: Answer, waybill_no: str
) -> None:
    asked = []

    async def serve(request: web.Request) -> web.StreamResponse:
        form = parse_qs((await request.read()).decode())
        asked.append(form["serviceCode"][0])
        return failed("8016") if asked[-1] == "EXP_RECE_CREATE_ORDER" else found

    recorded = caller.call_against(serve, caller.command("o-1"))
    assert (recorded.answer, recorded.waybill_no, recorded.kind) == (answer, waybill_no, CallKind.CREATE)
    assert asked == ["EXP_RECE_CREATE_ORDER", "EXP_RECE_SEARCH_ORDER_RESP"]


@pytest.mark.parametrize("change", [{"carrier": "nobody"}, {"ship_to": None}])
def test_a_call_that_cannot_be_made_is_refused_and_not_made(caller: Caller, change: dict[str, object]) -> None:
    async def serve(_request: web.Request) -> web.StreamResponse:
        pytest.fail("called")

    command: CallCarrier = msgspec.structs.replace(caller.command("o-1"), **change)
    answer = caller.call_against(serve, command)
    assert (answer.answer, answer.reason.split(":")[0]) == (Answer.REFUSED, next(iter(change)))


def test_calls_are_counted_by_what_is_known_after_them(caller: Caller) -> None:
    counter = metrics.CALLS.labels("sf", "query", "unknown")
    before = counter._value.get()  # noqa: SLF001  the library has no other way to read one
    caller.call("http://127.0.0.1:1", [caller.command("o-1", CallKind.QUERY)])
    assert counter._value.get() == before + 1  # noqa: SLF001


def test_no_two_calls_share_a_request_id() -> None:
    first, second = _request_ids(), _request_ids()
    ids = [next(source) for _ in range(100) for source in (first, second)]
    assert (len(set(ids)), {len(one) for one in ids}) == (200, {36})


@pytest.mark.parametrize("text", [None, "[]", '{"WH-1": {"adress": "x"}}'])
def test_a_senders_file_that_cannot_be_read_is_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "senders.json"
    if text is not None:
        file.write_text(text)

    async def connecting() -> None:
        async with connect(Settings(carrier_senders_file=str(file))):
            pytest.fail("connected")

    with pytest.raises(SettingsError, match=r"HOLDFAST_CARRIER_SENDERS_FILE: .*senders\.json"):
        asyncio.run(connecting())
