"""Posts forms to one address over kept connections. It knows one request, and hangs up on what it does not know."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, cast

from yarl import URL

from pipeline.carriers.http_answer import read_answer
from pipeline.errors import SettingsError, TransientError

if TYPE_CHECKING:
    from pipeline.carriers.http_answer import HttpAnswer

FORM = "application/x-www-form-urlencoded;charset=UTF-8"


class Poster:
    """The connections to one address, one for each call under way. `keep_seconds`: how long an idle one is used again.

    Raises SettingsError for a URL that cannot be posted to.
    """

    def __init__(self, url: str, keep_seconds: float, answer_bytes_max: int) -> None:
        place = URL(url)
        if place.scheme not in {"http", "https"} or not place.host or place.user is not None:
            message = f"HOLDFAST_CARRIER_URL: {url!r} is no http or https address without a user"
            raise SettingsError(message)
        self._host, self._port = place.host, cast("int", place.port)  # a URL of these two has one
        self._ssl = ssl.create_default_context() if place.scheme == "https" else None
        self._head = (
            f"POST {place.raw_path_qs} HTTP/1.1\r\nHost: {place.host_port_subcomponent}\r\n"
            f"Content-Type: {FORM}\r\nAccept-Encoding: identity\r\nContent-Length: "
        ).encode("ascii")
        self._keep_seconds = keep_seconds
        self._answer_bytes_max = answer_bytes_max
        self._idle: list[_Connection] = []
        self._loop = asyncio.get_running_loop()

    async def post(self, form: bytes, timeout_seconds: float) -> HttpAnswer:
        """Post once; nothing is sent again. A call that is given up takes its connection with it.

        Raises TimeoutError, TransientError for what is no answer and OSError where there is no connection.
        """
        gives_up_at = self._loop.time() + timeout_seconds
        connection = self._kept()
        if connection is None:
            async with asyncio.timeout_at(gives_up_at):
                connection = await self._connect()
        timer = self._loop.call_at(gives_up_at, connection.give_up)
        try:
            return await connection.exchange(b"%b%d\r\n\r\n%b" % (self._head, len(form), form))
        finally:
            timer.cancel()
            if connection.reusable:
                connection.idle_since = self._loop.time()
                self._idle.append(connection)
            else:
                connection.abort()

    def close(self) -> None:
        """Hang up."""
        while self._idle:
            self._idle.pop().abort()

    def _kept(self) -> _Connection | None:
        """Give the connection that was used last, and hang up those that may be about to be closed."""
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and self._loop.time() - connection.idle_since < self._keep_seconds:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> _Connection:
        _, connection = await self._loop.create_connection(
            lambda: _Connection(self._loop, self._answer_bytes_max), self._host, self._port, ssl=self._ssl
        )
        return connection


class _Connection(asyncio.Protocol):
    """One request at a time. `reusable`: its last answer was whole, and nothing came after it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, answer_bytes_max: int) -> None:
        self.reusable = False
        self.idle_since = 0.0
        self._loop = loop
        self._answer_bytes_max = answer_bytes_max
        self._received = b""
        self._answer: asyncio.Future[HttpAnswer] | None = None

    def exchange(self, request: bytes) -> asyncio.Future[HttpAnswer]:
        self.reusable = False
        self._answer = self._loop.create_future()
        if self._transport.is_closing():
            self.connection_lost(None)
        else:
            self._transport.write(request)
        return self._answer

    def abort(self) -> None:
        self.reusable = False
        self._transport.abort()

    def give_up(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(TimeoutError())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.abort()
            return
        self._received += data
        try:
            answer = read_answer(self._received, self._answer_bytes_max)
        except TransientError as error:
            self._answer.set_exception(error)
            return
        if answer is not None:
            self._received = b""
            self.reusable = answer.keeps
            self._answer.set_result(answer)

    def connection_lost(self, _error: Exception | None) -> None:
        self.reusable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(
                TransientError("the answer is cut short" if self._received else "no answer: hung up")
            )
