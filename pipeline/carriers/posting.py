"""Posts forms to one address over kept connections. It knows one request, and hangs up on what it does not know."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, NamedTuple, cast

from yarl import URL

from pipeline.carriers.http_answer import HttpAnswer, read_answer
from pipeline.errors import SettingsError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    Ended = Callable[[HttpAnswer | Exception], None]

FORM = "application/x-www-form-urlencoded;charset=UTF-8"


class Limits(NamedTuple):
    """How long an answer may take, how long an idle connection is used again, and how large an answer may be."""

    call_seconds: float
    keep_seconds: float
    answer_bytes: int


class Poster:
    """The connections to one address, one for each call under way.

    Raises SettingsError for a URL that cannot be posted to.
    """

    def __init__(self, url: str, limits: Limits) -> None:
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
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.idle: list[_Connection] = []
        self.open: set[_Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    def post(self, form: bytes, ended: Ended) -> None:
        """Post once; nothing is sent again. A call that is given up takes its connection with it.

        `ended` is called once, perhaps before this returns: with the answer, or with a TimeoutError, a TransientError
        for what is no answer, or with what kept it from connecting. It must not raise.
        """
        request = b"%b%d\r\n\r\n%b" % (self._head, len(form), form)
        gives_up_at = self.loop.time() + self.limits.call_seconds
        connection = self._kept()
        if connection is not None:
            connection.exchange(request, gives_up_at, ended)
            return
        connecting = self.loop.create_task(self._connect(request, gives_up_at, ended))
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)

    def close(self) -> None:
        """Hang up. Calls under way end as those whose answer is lost."""
        for connecting in self._connecting:
            connecting.cancel()
        for connection in tuple(self.open):
            connection.abort()
        self.idle.clear()

    def _kept(self) -> _Connection | None:
        """Give the connection that was used last, and hang up those that may be about to be closed."""
        while self.idle:
            connection = self.idle.pop()
            if connection in self.open and self.loop.time() - connection.idle_since < self.limits.keep_seconds:
                return connection
            connection.abort()
        return None

    async def _connect(self, request: bytes, gives_up_at: float, ended: Ended) -> None:
        try:
            async with asyncio.timeout_at(gives_up_at):
                _, connection = await self.loop.create_connection(
                    lambda: _Connection(self), self._host, self._port, ssl=self._ssl
                )
        except Exception as error:  # noqa: BLE001  who called knows what the world may do, and what is a bug
            ended(error)
        else:
            connection.exchange(request, gives_up_at, ended)


class _Connection(asyncio.Protocol):
    """One request at a time. It is in `Poster.open` while it stands, and in `Poster.idle` while another may follow."""

    def __init__(self, poster: Poster) -> None:
        self.idle_since = 0.0
        self._poster = poster
        self._received = b""
        self._ended: Ended | None = None
        self._gives_up_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def exchange(self, request: bytes, gives_up_at: float, ended: Ended) -> None:
        self._ended, self._gives_up_at = ended, gives_up_at
        if self._transport.is_closing():
            self.connection_lost(None)
            return
        if self._timer is None:
            self._timer = self._poster.loop.call_at(gives_up_at, self._look_at_the_time)
        self._transport.write(request)

    def abort(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._poster.open.add(self)

    def data_received(self, data: bytes) -> None:
        if self._ended is None:
            self._poster.open.discard(self)
            self.abort()
            return
        self._received = self._received + data if self._received else data
        try:
            answer = read_answer(self._received, self._poster.limits.answer_bytes)
        except TransientError as error:
            self._end(error)
            return
        if answer is not None:
            self._end(answer)

    def connection_lost(self, _error: Exception | None) -> None:
        self._poster.open.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._ended is not None:
            self._end(TransientError("the answer is cut short" if self._received else "no answer: hung up"))

    def _look_at_the_time(self) -> None:
        """Give up the call that is due. One timer lasts for many calls: most are answered long before."""
        self._timer = None
        if self._ended is None:
            return
        if self._poster.loop.time() >= self._gives_up_at:
            self._end(TimeoutError())
        else:
            self._timer = self._poster.loop.call_at(self._gives_up_at, self._look_at_the_time)

    def _end(self, outcome: HttpAnswer | Exception) -> None:
        """End the call. The connection is kept if its answer was whole, and nothing came after it."""
        ended, self._ended, self._received = cast("Ended", self._ended), None, b""
        if isinstance(outcome, HttpAnswer) and outcome.keeps:
            self.idle_since = self._poster.loop.time()
            self._poster.idle.append(self)
        else:
            self._poster.open.discard(self)
            self.abort()
        ended(outcome)
