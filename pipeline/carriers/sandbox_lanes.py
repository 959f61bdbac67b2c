"""The sandbox's short way in: a plain posted form is read off its connection, anything else is aiohttp's from there on.

The sandbox shares its machine with what is measured against it, and 40 % of its CPU were aiohttp's server.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.web import Server

    Respond = Callable[["Answered | None"], None]

REQUEST_BYTES_MAX = 1024 * 1024
HEAD_BYTES_MAX = 4096
"""A longer head is not a plain one."""
HEADS_MAX = 1024
"""Heads that are kept as they were read: a caller's differ in the length of the form alone."""
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
    """The connections. `answer` is given each form, and what to respond with: an answer, or None to hang up."""

    def __init__(self, path: str, answer: Callable[[bytes, Respond], None]) -> None:
        self.start = f"POST {path} HTTP/1.1\r\n".encode("ascii")
        self.answer = answer
        self.open: set[_Lane] = set()
        self.busy: set[_Lane] = set()
        self._rested = asyncio.Event()

    def protocols(self, server: Server) -> Callable[[], asyncio.Protocol]:
        """Give the function that makes a connection's protocol; `server` takes what is not plain."""
        return lambda: _Lane(self, server)

    def rest(self, lane: _Lane) -> None:
        """Note that a connection's call has ended, or that nobody waits for it any more."""
        self.busy.discard(lane)
        if not self.busy:
            self._rested.set()

    async def close(self) -> None:
        """Let the calls in hand finish, and hang up."""
        self._rested.clear()
        if self.busy:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._rested.wait(), STOP_SECONDS)
        for lane in tuple(self.open):
            lane.transport.close()


class _Lane(asyncio.Protocol):
    """A connection. One form is in hand at a time, and none while its answers are not read."""

    def __init__(self, lanes: Lanes, server: Server) -> None:
        self._lanes = lanes
        self._server = server
        self._received = b""
        self._is_taking = False
        self._is_unread = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._lanes.open.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._lanes.open.discard(self)
        self._lanes.rest(self)

    def pause_writing(self) -> None:
        self._is_unread = True

    def resume_writing(self) -> None:
        self._is_unread = False
        self._take()

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        self._take()
        if len(self._received) > PIPELINED_BYTES_MAX and (self._is_unread or self in self._lanes.busy):
            self.transport.abort()

    def _take(self) -> None:
        """Take up form after form. One that is answered at once comes back to here: no call within a call."""
        if self._is_taking:
            return
        self._is_taking = True
        while self._received and not self._is_unread and self not in self._lanes.busy:
            if not self._take_one():
                break
        self._is_taking = False

    def _take_one(self) -> bool:
        """Take up the next form, or wait for the rest of it. Says whether it was there whole."""
        received, plain = self._received, self._lanes.start
        start = received.find(_END) + len(_END)
        if start < len(_END) and plain.startswith(received[: len(plain)]) and len(received) < HEAD_BYTES_MAX:
            return False
        length = _form_bytes(received[:start], plain) if start <= HEAD_BYTES_MAX else None
        if length is None or length > REQUEST_BYTES_MAX:
            self._hand_over()
            return False
        end = start + length
        if len(received) < end:
            return False
        self._received = received[end:]
        self._lanes.busy.add(self)
        self._lanes.answer(received[start:end], self._respond)
        return True

    def _respond(self, answered: Answered | None) -> None:
        self._lanes.rest(self)
        if self.transport.is_closing():
            return
        if answered is None:
            self.transport.close()
            return
        self.transport.write(
            b"HTTP/1.1 %d \r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
            % (answered.status, len(answered.body), answered.body)
        )
        self._take()

    def _hand_over(self) -> None:
        self._lanes.open.discard(self)
        protocol = self._server()
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        received, self._received = self._received, b""
        protocol.data_received(received)


@lru_cache(HEADS_MAX)
def _form_bytes(head: bytes, start: bytes) -> int | None:
    """Give the length of the form that a head announces, or None for a head that is not a plain one."""
    if not head.startswith(start):
        return None
    head = head.lower()
    length = _LENGTH.search(head)
    return None if length is None or _NOT_PLAIN.search(head) else int(length[1])
