"""Serves HTTP until told to stop: says where it listens, watches its background work, lets calls in hand finish."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, cast

from aiohttp import web

from pipeline.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path
    from typing import Any

LOOPBACK = "127.0.0.1"
BACKLOG = 1024
"""Connections that wait to be taken: a caller opens hundreds at once."""
SHUTDOWN_SECONDS = 5.0
"""How long calls in hand may take after SIGTERM."""


class Place(NamedTuple):
    """Where to listen. Port 0 is any free one. `ready_file` is given the URL, whole or not at all."""

    host: str
    port: int
    ready_file: Path | None = None


async def serve(
    app: web.Application,
    place: Place,
    work: Sequence[Coroutine[Any, Any, None]] = (),
    protocols: Callable[[web.Server], Callable[[], asyncio.Protocol]] = lambda server: server,
) -> None:
    """Serve until SIGTERM or SIGINT. Work that ends or fails ends the serving, with its error.

    `protocols` may put protocols of its own before aiohttp's server; the app's `on_shutdown` is to end them.
    Prints `ready URL`. Raises SetupError when the port is taken.
    """
    tasks = [asyncio.create_task(piece) for piece in work]
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    listening = None
    try:
        factory = protocols(cast("web.Server", runner.server))
        try:
            listening = await asyncio.get_running_loop().create_server(factory, place.host, place.port, backlog=BACKLOG)
        except OSError as error:
            message = f"cannot listen on {place.host}:{place.port}: {error}"
            raise SetupError(message) from error
        _say_ready(listening.sockets[0].getsockname()[1], place)
        await _until_told(tasks)
    finally:
        if listening is not None:
            listening.close()
        await runner.cleanup()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def _until_told(tasks: list[asyncio.Task[None]]) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait((waiting, *tasks), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def _say_ready(port: int, place: Place) -> None:
    host = place.host if place.host not in {"", "0.0.0.0"} else LOOPBACK  # noqa: S104  compared, not listened on
    url = f"http://{host}:{port}"
    if place.ready_file is not None:
        half = place.ready_file.with_name(f"{place.ready_file.name}.new")
        half.write_text(url)
        half.replace(place.ready_file)
    print(f"ready {url}", flush=True)
