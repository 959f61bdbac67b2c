"""The connections: kept, bounded, and given up with the call that is given up."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from pipeline.carriers.posting import Poster
from pipeline.errors import SettingsError, TransientError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
KEEP_SECONDS = 60.0
DEADLINE_SECONDS = 10.0


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


@asynccontextmanager
async def posting(server: Server, keep_seconds: float = KEEP_SECONDS) -> AsyncIterator[Poster]:
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    poster = Poster(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/a?b", keep_seconds, 64)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            yield poster
    finally:
        poster.close()
        listening.close()
        for transport in server.transports:
            transport.abort()
        await listening.wait_closed()


async def until(condition: Callable[[], bool]) -> None:
    """Wait inside the deadline of `posting`."""
    while not condition():  # noqa: ASYNC110  what is waited for is another's state, which sets no event
        await asyncio.sleep(0)


def answering(answer: bytes) -> Callable[[asyncio.Transport], None]:
    return lambda transport: transport.write(answer)


def connections_after(two_posts: bytes, keep_seconds: float = KEEP_SECONDS) -> int:
    async def run() -> int:
        server = Server(answering(two_posts))
        async with posting(server, keep_seconds=keep_seconds) as poster:
            await poster.post(b"1", DEADLINE_SECONDS)
            await poster.post(b"2", DEADLINE_SECONDS)
        return len(server.transports)

    return asyncio.run(run())


def test_a_form_is_sent_whole_with_its_type_and_length() -> None:
    async def run() -> bytes:
        server = Server(answering(ANSWER))
        async with posting(server) as poster:
            assert (await poster.post(b"a=1", DEADLINE_SECONDS)).body == b"{}"
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
            await poster.post(b"1", DEADLINE_SECONDS)
            (kept,) = poster._idle  # noqa: SLF001  whether it is noticed is what this test waits for
            server.transports[0].close()
            await until(lambda: not kept.reusable)
            await poster.post(b"2", DEADLINE_SECONDS)
        return len(server.transports)

    assert asyncio.run(run()) == 2


def test_a_call_that_is_given_up_takes_its_connection_with_it() -> None:
    async def run() -> list[bytes]:
        server = Server(lambda _transport: None)
        async with posting(server) as poster:
            with pytest.raises(TimeoutError):
                await poster.post(b"1", 0.05)
            server.answer = answering(ANSWER)
            await poster.post(b"2", DEADLINE_SECONDS)
        return [request[-1:] for request in server.requests]

    assert asyncio.run(run()) == [b"1", b"2"]


def test_a_server_that_hangs_up_is_named() -> None:
    async def run() -> None:
        async with posting(Server(lambda transport: transport.abort())) as poster:
            await poster.post(b"1", DEADLINE_SECONDS)

    with pytest.raises(TransientError, match="hung up"):
        asyncio.run(run())


@pytest.mark.parametrize("url", ["", "127.0.0.1:9801/std", "ftp://sf/std", "http:///std", "http://user:word@sf/std"])
def test_an_address_that_cannot_be_posted_to_is_named(url: str) -> None:
    async def run() -> None:
        Poster(url, 1.0, 1)

    with pytest.raises(SettingsError, match="HOLDFAST_CARRIER_URL"):
        asyncio.run(run())
