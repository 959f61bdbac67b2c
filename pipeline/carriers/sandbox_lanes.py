"""The sandbox's short way in: a plain posted form is read off its connection, anything else is aiohttp's from there on.

The sandbox shares its machine with what is measured against it, and 40 % of its CPU were aiohttp's server.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.web import Server

REQUEST_BYTES_MAX = 1024 * 1024
PIPELINED_BYTES_MAX = 256 * 1024
"""Sent before the answer to what was sent before it. Who sends more is hung up on."""
STOP_SECONDS = 5.0
"""How long calls in hand may take once the sandbox is told to stop."""
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: ?([0-9]{1,7})\r\n")
_NOT_PLAIN = re.compile(rb"\r\n(?:transfer-encoding|content-encoding|connection|expect|upgrade):")


class Answered(NamedTuple):
    """What to answer with: a status, and JSON."""

    status: int
    body: bytes


class Lanes:
    """The connections. `answer` is given each form and says what to answer with, or None: hang up."""

    def __init__(self, path: str, answer: Callable[[bytes], Awaitable[Answered | None]]) -> None:
        self.start = f"POST {path} HTTP/1.1\r\n".encode("ascii")
        self.answer = answer
        self.open: set[_Lane] = set()
        self.loop = asyncio.get_running_loop()

    def protocols(self, server: Server) -> Callable[[], asyncio.Protocol]:
        """Give the function that makes a connection's protocol; `server` takes what is not plain."""
        return lambda: _Lane(self, server)

    async def close(self) -> None:
        """Let the calls in hand finish, and hang up."""
        calls = [lane.call for lane in self.open if lane.call is not None]
        if calls:
            await asyncio.wait(calls, timeout=STOP_SECONDS)
        for lane in tuple(self.open):
            lane.transport.close()


class _Lane(asyncio.Protocol):
    def __init__(self, lanes: Lanes, server: Server) -> None:
        self.call: asyncio.Task[None] | None = None
        self._lanes = lanes
        self._server = server
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._lanes.open.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._lanes.open.discard(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self.call is None:
            self._take()
        elif len(self._received) > PIPELINED_BYTES_MAX:
            self.transport.abort()

    def _take(self) -> None:
        """Take up the next form, if one is there whole."""
        received = self._received
        start = received.find(_END) + len(_END)
        length = _form_bytes(received[:start], self._lanes.start)
        if length is None or length > REQUEST_BYTES_MAX:
            self._hand_over()
        elif len(received) >= start + length:
            self._received = received[start + length :]
            self.call = self._lanes.loop.create_task(self._serve(received[start : start + length]))

    async def _serve(self, form: bytes) -> None:
        answered = None
        try:
            answered = await self._lanes.answer(form)
        finally:
            self.call = None
            if answered is None:
                self.transport.close()
        if answered is not None:
            self.transport.write(
                b"HTTP/1.1 %d \r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
                % (answered.status, len(answered.body), answered.body)
            )
            if self._received:
                self._take()

    def _hand_over(self) -> None:
        self._lanes.open.discard(self)
        protocol = self._server()
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        protocol.data_received(self._received)


def _form_bytes(head: bytes, start: bytes) -> int | None:
    """Give the length of the form that a head announces, or None for a head that is not a plain one."""
    if not head.startswith(start):
        return None
    head = head.lower()
    length = _LENGTH.search(head)
    return None if length is None or _NOT_PLAIN.search(head) else int(length[1])
