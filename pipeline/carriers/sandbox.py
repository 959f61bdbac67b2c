"""A carrier on this machine: speaks SF's format, keeps its own book, reports parcels, and misbehaves on demand.

`python -m pipeline sandbox --port 9801 --book FILE --push http://127.0.0.1:9800/carriers/sf/routes`

`GET /control` shows the settings and what was done; `POST /control` changes settings: `{"lost_share": 0.2}`.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter, defaultdict
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import uvloop
from aiohttp import web

from pipeline.carriers import sf
from pipeline.carriers.sandbox_behaviour import Behaviour, Fault
from pipeline.carriers.sandbox_book import Accepted, AnyEntry, Book, Cancelled, Refused, open_book
from pipeline.carriers.sandbox_carrier import UNREADABLE, Carrier, Deed, Message, failure
from pipeline.carriers.sandbox_form import read_form
from pipeline.carriers.sandbox_lanes import REQUEST_BYTES_MAX, Answered, Lanes
from pipeline.carriers.sandbox_push import Pusher
from pipeline.carriers.serving import LOOPBACK, Place, serve
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping

    from pipeline.carriers.sandbox_lanes import Respond

SERVICE_PATH = "/std/service"
TICK_SECONDS = 0.02
"""How often parcels move."""
LOST_SECONDS = 10.0
"""How long a lost answer keeps its caller waiting: longer than any caller waits."""
PARAMETERS = ("partnerID", "requestID", "serviceCode", "timestamp", "msgDigest", "msgData")
SERVICES = frozenset(sf.SERVICES.values())
LET_THROUGH = frozenset({Fault.NONE, Fault.SLOW})
MISSING, NOT_ALLOWED, BAD_DIGEST, SYSTEM_ERROR = "A1001", "A1004", "A1006", "A1099"
_FAULT_COUNTERS = {fault: f"fault {fault}" for fault in Fault}
_ENTRY_COUNTERS: dict[type[AnyEntry], str] = {entry: entry.__name__.lower() for entry in (Accepted, Refused, Cancelled)}
_MESSAGE = msgspec.json.Decoder(Message)


class Sandbox:
    """The server's parts: the carrier, its book, its pusher."""

    def __init__(
        self, book: Book, entries: Iterable[AnyEntry], behaviour: Behaviour, check_word: str, push_url: str
    ) -> None:
        self._book = book
        self._carrier = Carrier(entries, behaviour)
        self._check_word = check_word
        self._calls: defaultdict[str, int] = defaultdict(int)
        self._counters: Counter[str] = Counter()
        self._stopping = asyncio.Event()
        self._misbehaving: set[asyncio.Task[None]] = set()
        self.lanes = Lanes(SERVICE_PATH, self._serve)
        self._pusher = Pusher(push_url, book, self._carrier.parcels) if push_url else None
        if self._pusher:
            self._pusher.add(self._carrier.unreported)

    def app(self) -> web.Application:
        """Build the server. SF's services are one address, `/std/service`."""
        app = web.Application(client_max_size=REQUEST_BYTES_MAX)
        app.router.add_post(SERVICE_PATH, self._serve_request)
        app.router.add_get("/control", self._show)
        app.router.add_post("/control", self._change)
        app.on_shutdown.append(self._stop)
        return app

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """Give what runs beside the server."""
        return [self._book.run(), self._move_parcels(), *([self._pusher.run()] if self._pusher else [])]

    async def _serve_request(self, request: web.Request) -> web.Response:
        responded: asyncio.Queue[Answered | None] = asyncio.Queue()
        self._serve(await request.read(), responded.put_nowait)
        answered = await responded.get()
        if answered is not None:
            return web.Response(
                status=answered.status, body=answered.body, content_type="application/json", charset="utf-8"
            )
        if request.transport:
            request.transport.close()
        return web.Response()

    def _serve(self, body: bytes, respond: Respond) -> None:
        form = read_form(body)
        refusal = self._refusal(form)
        if refusal:
            self._counters[refusal] += 1
            respond(_answer(refusal))
            return
        try:
            message = _MESSAGE.decode(form["msgData"])
        except msgspec.DecodeError:
            respond(_answer(sf.ACCEPTED, failure(UNREADABLE)))
            return
        order_id = str(message.order_id)
        self._calls[order_id] += 1
        fault = self._carrier.behaviour.fault(order_id, self._calls[order_id])
        self._counters[form["serviceCode"]] += 1
        self._counters[_FAULT_COUNTERS[fault]] += 1
        if fault is Fault.BROKEN:
            respond(Answered(503, b""))
            return
        deed = self._carrier.serve(form["serviceCode"], message, _now_ms(), answered=fault in LET_THROUGH)
        if deed.entry is not None:
            self._counters[_ENTRY_COUNTERS[type(deed.entry)]] += 1
            self._book.add(deed.entry)
        if fault is Fault.NONE:
            self._book.when_durable(partial(respond, _answer(sf.ACCEPTED, deed.result)))
        else:
            task = asyncio.create_task(self._misbehave(fault, deed, respond))
            self._misbehaving.add(task)
            task.add_done_callback(self._misbehaving.discard)

    async def _misbehave(self, fault: Fault, deed: Deed, respond: Respond) -> None:
        """Answer late, wrongly, or not at all, of what was done all the same."""
        await self._book.durable()
        match fault:
            case Fault.SLOW:
                await asyncio.sleep(self._carrier.behaviour.slow_seconds)
                respond(_answer(sf.ACCEPTED, deed.result))
            case Fault.LOST:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), LOST_SECONDS)
                respond(None)
            case Fault.DISCARDED:
                respond(_answer(SYSTEM_ERROR))

    def _refusal(self, form: Mapping[str, str]) -> str:
        """Give the gateway's code against a request, or an empty text."""
        if not all(map(form.get, PARAMETERS)):
            return MISSING
        if self._check_word and not _is_signed(form, self._check_word):
            return BAD_DIGEST
        return "" if form["serviceCode"] in SERVICES else NOT_ALLOWED

    async def _move_parcels(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            moves = self._carrier.advance(_now_ms())
            for move in moves:
                self._book.add(move)
            self._counters["moved"] += len(moves)
            await self._book.durable()
            if self._pusher:
                self._pusher.add(moves)

    async def _stop(self, _app: web.Application) -> None:
        self._stopping.set()
        await self.lanes.close()

    async def _show(self, _request: web.Request) -> web.Response:
        counters = dict(self._counters) | {"orders": len(self._carrier.parcels)}
        if self._pusher:
            counters |= {
                "routes waiting": self._pusher.waiting,
                "routes acknowledged": self._pusher.acknowledged,
                "failed pushes": self._pusher.failed_pushes,
            }
        shown = {"behaviour": msgspec.to_builtins(self._carrier.behaviour), "counters": counters}
        return web.Response(body=orjson.dumps(shown), content_type="application/json")

    async def _change(self, request: web.Request) -> web.Response:
        try:
            change = msgspec.json.decode(await request.read(), type=dict[str, Any])
            self._carrier.behaviour = _changed(self._carrier.behaviour, change)
        except msgspec.DecodeError as error:
            return web.Response(status=400, text=f"{error}\n")
        return await self._show(request)


def main(arguments: list[str]) -> int:
    """Run the sandbox until it is told to stop."""
    options = _parser().parse_args(arguments)
    shares = {
        name: value
        for name, value in vars(options).items()
        if name in Behaviour.__struct_fields__ and value is not None
    }
    try:
        behaviour = _changed(Behaviour(), shares)
    except msgspec.ValidationError as error:
        raise SettingsError(str(error)) from error
    uvloop.run(_run(options, behaviour))
    return 0


async def _run(options: argparse.Namespace, behaviour: Behaviour) -> None:
    book, entries = open_book(options.book)
    try:
        sandbox = Sandbox(book, entries, behaviour, options.check_word, options.push)
        await serve(
            sandbox.app(), Place(LOOPBACK, options.port, options.ready_file), sandbox.work(), sandbox.lanes.protocols
        )
    finally:
        book.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline sandbox", description="a local carrier that speaks SF's format"
    )
    parser.add_argument("--port", type=int, default=9801, help="0: a free one, which it prints")
    parser.add_argument(
        "--book", type=Path, required=True, help="the file of its book; an existing one is gone on with"
    )
    parser.add_argument("--push", default="", metavar="URL", help="where it reports parcels to")
    parser.add_argument("--check-word", default="", help="refuse requests that are not signed with it (A1006)")
    parser.add_argument("--ready-file", type=Path, help="is given the URL once it listens")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--slow-share", type=float)
    parser.add_argument("--slow-seconds", type=float)
    parser.add_argument("--error-share", type=float)
    parser.add_argument("--lost-share", type=float, help="of calls: acted on, and never answered")
    parser.add_argument("--refuse-share", type=float, help="of orders: out of range (filterResult 3)")
    parser.add_argument("--report-interval-seconds", type=float, help="between two reports of a parcel")
    parser.add_argument("--pickup-seconds", type=float, help="how much later than that its first report is")
    return parser


def _changed(behaviour: Behaviour, change: dict[str, Any]) -> Behaviour:
    """Give the behaviour with some settings changed. Raises ValidationError, which names the setting."""
    return msgspec.convert({**msgspec.to_builtins(behaviour), **change}, Behaviour)


def _is_signed(form: Mapping[str, str], check_word: str) -> bool:
    message = sf.url_encoded(form["msgData"].encode()).encode()
    return form["timestamp"].isdecimal() and sf.digest(message, int(form["timestamp"]), check_word) == form["msgDigest"]


def _answer(code: str, result: bytes = b"null") -> Answered:
    """Put the business answer, a JSON text or null, into the gateway's envelope."""
    envelope = b'{"apiErrorMsg":"","apiResponseID":"","apiResultCode":"%b","apiResultData":%b}'
    return Answered(200, envelope % (code.encode(), result))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
