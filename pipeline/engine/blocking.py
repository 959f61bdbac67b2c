"""One thread for what blocks, so that the event loop can answer heartbeats meanwhile."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Blocking:
    """Runs one function at a time. A caller that is cancelled waits for the end all the same.

    A thread cannot be cancelled. Were its caller to leave before it, the lock under which a transaction commits would
    be free while it commits, and what is produced then would be committed without its offset.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, name)

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function on the thread, to its end."""
        running = asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            while not running.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({running})
            running.result()  # where it failed, that counts for more
            raise
