"""The connections: kept, bounded, and given up with the call that is given up."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from pipeline.carriers.posting import Limits, Poster
from pipeline.errors import SettingsError, TransientError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pipeline.carriers.http_answer import HttpAnswer

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
KEEP_SECONDS = 60.0
DEADLINE_SECONDS = 10.0
SHORT_SECONDS = 0.05


class Server(asyncio.Protocol):
    """Answers every piece that it receives by `answer`, and keeps what was sent and who is connected."""

    def __init__(self, answer: Callable[[asyncio.Transport], None]) -> None:
        self.answer = answer
        self.transports: list[asyncio.Transport] = []
        self.requests: list[bytes] = []

    def __call__(self) -> asyncio.Protocol:
        server = self

        class Connection(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                assert isinstance(transport, asyncio.Transport)
                self.transport = transport
                server.transports.append(transport)

            def data_received(self, data: bytes) -> None:
                server.requests.append(data)
                server.answer(self.transport)

        return Connection()


def limits(call_seconds: float = DEADLINE_SECONDS, keep_seconds: float = KEEP_SECONDS) -> Limits:
    return Limits(call_seconds, keep_seconds, answer_bytes=64)


@asynccontextmanager
async def posting(server: Server, limited: Limits | None = None) -> AsyncIterator[Poster]:
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    poster = Poster(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/a?b", limited or limits())
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            yield poster
    finally:
        poster.close()
        listening.close()
        for transport in server.transports:
            transport.abort()
        await listening.wait_closed()


def post(poster: Poster, form: bytes) -> asyncio.Future[HttpAnswer]:
    ended: asyncio.Future[HttpAnswer] = poster.loop.create_future()

    def end(outcome: HttpAnswer | Exception) -> None:
        if isinstance(outcome, Exception):
            ended.set_exception(outcome)
        else:
            ended.set_result(outcome)

    poster.post(form, end)
    return ended


async def until(condition: Callable[[], bool]) -> None:
    """Wait inside the deadline of `posting`."""
    while not condition():  # noqa: ASYNC110  what is waited for is another's state, which sets no event
        await asyncio.sleep(0)


def answering(answer: bytes) -> Callable[[asyncio.Transport], None]:
    return lambda transport: transport.write(answer)


def connections_after(two_posts: bytes, keep_seconds: float = KEEP_SECONDS) -> int:
    async def run() -> int:
        server = Server(answering(two_posts))
        async with posting(server, limits(keep_seconds=keep_seconds)) as poster:
            await post(poster, b"1")
            await post(poster, b"2")
        return len(server.transports)

    return asyncio.run(run())


def test_a_form_is_sent_whole_with_its_type_and_length() -> None:
    async def run() -> bytes:
        server = Server(answering(ANSWER))
        async with posting(server) as poster:
            assert (await post(poster, b"a=1")).body == b"{}"
        return server.requests[0]

    head, _, form = asyncio.run(run()).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert (lines[0], form) == (b"POST /a?b HTTP/1.1", b"a=1")
    assert {b"Content-Length: 3", b"Content-Type: application/x-www-form-urlencoded;charset=UTF-8"} <= set(lines)
    assert lines[1].startswith(b"Host: 127.0.0.1:")


def test_a_connection_is_used_again() -> None:
    assert connections_after(ANSWER) == 1


@pytest.mark.parametrize("answer", [ANSWER + b"x", ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")])
def test_a_connection_is_not_used_again_after_anything_odd(answer: bytes) -> None:
    assert connections_after(answer) == 2


def test_a_connection_that_was_idle_for_long_is_not_used_again() -> None:
    assert connections_after(ANSWER, keep_seconds=0) == 2


def test_a_kept_connection_that_the_server_closed_is_replaced() -> None:
    async def run() -> int:
        server = Server(answering(ANSWER))
        async with posting(server) as poster:
            await post(poster, b"1")
            server.transports[0].close()
            await until(lambda: not poster.open)
            await post(poster, b"2")
        return len(server.transports)

    assert asyncio.run(run()) == 2


def test_a_call_that_is_given_up_takes_its_connection_with_it() -> None:
    async def run() -> list[bytes]:
        server = Server(lambda _transport: None)
        async with posting(server, limits(call_seconds=SHORT_SECONDS)) as poster:
            with pytest.raises(TimeoutError):
                await post(poster, b"1")
            server.answer = answering(ANSWER)
            await post(poster, b"2")
        return [request[-1:] for request in server.requests]

    assert asyncio.run(run()) == [b"1", b"2"]


def test_each_call_over_a_connection_has_its_own_time() -> None:
    async def run() -> float:
        server = Server(answering(ANSWER))
        async with posting(server, limits(call_seconds=SHORT_SECONDS)) as poster:
            await post(poster, b"1")
            server.answer = lambda _transport: None
            answered = poster.loop.time()
            await until(lambda: poster.loop.time() - answered > SHORT_SECONDS / 2)
            began = poster.loop.time()
            with pytest.raises(TimeoutError):
                await post(poster, b"2")
            assert len(server.transports) == 1
            return poster.loop.time() - began

    assert SHORT_SECONDS <= asyncio.run(run()) < DEADLINE_SECONDS


def test_a_late_answer_to_a_call_that_was_given_up_reaches_nobody() -> None:
    async def run() -> list[bytes]:
        server = Server(lambda _transport: None)
        async with posting(server, limits(call_seconds=SHORT_SECONDS)) as poster:
            with pytest.raises(TimeoutError):
                await post(poster, b"1")
            server.transports[0].write(ANSWER.replace(b"{}", b"11"))
            server.answer = answering(ANSWER.replace(b"{}", b"22"))
            return [(await post(poster, form)).body for form in (b"2", b"3")]

    assert asyncio.run(run()) == [b"22", b"22"]


def test_what_is_under_way_at_the_close_ends_and_leaves_nothing_open() -> None:
    async def run() -> None:
        server = Server(lambda _transport: None)
        async with posting(server) as poster:
            under_way = post(poster, b"1")
            await until(lambda: bool(server.requests))
            poster.close()
            with pytest.raises(TransientError, match="hung up"):
                await under_way
            assert not poster.open

    asyncio.run(run())


def test_a_server_that_hangs_up_is_named() -> None:
    async def run() -> None:
        async with posting(Server(lambda transport: transport.abort())) as poster:
            await post(poster, b"1")

    with pytest.raises(TransientError, match="hung up"):
        asyncio.run(run())


@pytest.mark.parametrize("url", ["", "127.0.0.1:9801/std", "ftp://sf/std", "http:///std", "http://user:word@sf/std"])
def test_an_address_that_cannot_be_posted_to_is_named(url: str) -> None:
    async def run() -> None:
        Poster(url, limits())

    with pytest.raises(SettingsError, match="HOLDFAST_CARRIER_URL"):
        asyncio.run(run())
