"""An event loop that a scheduler steps by hand, and threads of which only one runs at a time.

What asyncio needs of a loop is here and no more. One step runs all callbacks that are ready: a worker's coroutines
share nothing with other workers but the broker and the carrier, and every call of those is a step of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context

    from tests.simulation.world import World


class ProcessEndedError(BaseException):
    """Unwinds what a process was about when it ended. Nothing in the project catches it."""


class Handle:
    """A callback that is to run."""

    __slots__ = ("arguments", "callback", "context", "is_cancelled")

    def __init__(self, callback: Callable[..., object], arguments: tuple[object, ...], context: Context | None) -> None:
        self.callback = callback
        self.arguments = arguments
        self.context = context
        self.is_cancelled = False

    def cancel(self) -> None:
        """Do not run."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Say whether it was cancelled."""
        return self.is_cancelled


class Loop:
    """The event loop of one process. Time is the world's."""

    def __init__(self, world: World) -> None:
        self.is_dead = False
        self.ready: deque[Handle] = deque()
        self.jobs: deque[Job] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._world = world

    def step(self) -> None:
        """Run what is ready now."""
        asyncio._set_running_loop(cast(Any, self))  # noqa: SLF001  what every loop does
        try:
            for _ in range(len(self.ready)):
                handle = self.ready.popleft()
                if not handle.is_cancelled:
                    if handle.context is None:
                        handle.callback(*handle.arguments)
                    else:
                        handle.context.run(handle.callback, *handle.arguments)
                if self.is_dead:
                    return
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001

    def call_soon(self, callback: Any, *arguments: Any, context: Context | None = None) -> Any:  # noqa: ANN401  asyncio's signature
        """Run a callback in the next step."""
        handle = Handle(callback, arguments, context)
        if not self.is_dead:
            self.ready.append(handle)
        return handle

    def call_later(self, delay: float, callback: Any, *arguments: Any, context: Context | None = None) -> Any:  # noqa: ANN401
        """Run a callback after some seconds."""
        handle = Handle(callback, arguments, context)
        self._world.at(self._world.now_ms + max(0, round(delay * 1000)), lambda: self._due(handle))
        return handle

    def call_at(self, when: float, callback: Any, *arguments: Any, context: Context | None = None) -> Any:  # noqa: ANN401
        """Run a callback at a time of this loop."""
        return self.call_later(when - self.time(), callback, *arguments, context=context)

    def time(self) -> float:
        """Give the time in seconds."""
        return self._world.now_ms / 1000

    def create_future(self) -> asyncio.Future[Any]:
        """Make a future of this loop."""
        return asyncio.Future(loop=cast(Any, self))

    def create_task(self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, **_: Any) -> asyncio.Task[Any]:  # noqa: ANN401
        """Start a task."""
        task = asyncio.Task(coro, loop=cast(Any, self), name=name or "task")
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  a process may end at any point
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def run_in_executor(self, _executor: object, func: Any, *arguments: Any) -> asyncio.Future[Any]:  # noqa: ANN401
        """Run a function that blocks: one after the other, as the engine's executor does."""
        future = self.create_future()
        self.jobs.append(Job(lambda: func(*arguments), future, self._world.cells))
        return future

    @property
    def job(self) -> Job | None:
        """Give the function that blocks now."""
        return self.jobs[0] if self.jobs else None

    def get_debug(self) -> bool:
        """Say no."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Say nothing: processes end at any point."""

    def end(self) -> None:
        """Forget everything, and unwind the call that blocks."""
        self.is_dead = True
        self.ready.clear()
        jobs, self.jobs = self.jobs, deque()
        for job in jobs:
            job.kill()
        for task in list(self._tasks):
            with contextlib.suppress(RuntimeError, ValueError):  # the one that runs right now unwinds by itself
                task.get_coro().close()

    def _due(self, handle: Handle) -> None:
        if not handle.is_cancelled and not self.is_dead:
            self.ready.append(handle)


class Job:
    """A blocking call, on a thread that runs only while the scheduler waits for it."""

    def __init__(self, function: Callable[[], object], future: asyncio.Future[Any], cells: Cells) -> None:
        self.wakes_ms = 0
        self._function = function
        self._future = future
        self._cells = cells
        self._cell: Cell | None = None

    def step(self) -> bool:
        """Run it until it waits or ends. Says whether it ended."""
        if self._cell is None:
            self._cell = self._cells.take()
            self._cell.begin(self._function)
        else:
            self._cell.resume()
        if self._cell.is_busy:
            return False
        result, error = self._cell.result, self._cell.error
        self._cells.give_back(self._cell)
        if isinstance(error, ProcessEndedError):
            return True
        if error is not None:
            self._future.set_exception(error)
        else:
            self._future.set_result(result)
        return True

    def suspend(self, wakes_ms: int) -> None:
        """Let others run, at least until then. The function itself calls this."""
        assert self._cell is not None
        self.wakes_ms = wakes_ms
        self._cell.suspend()

    def kill(self) -> None:
        """Unwind it."""
        if self._cell is not None and self._cell.is_busy and not self._cell.is_current:
            self._cell.is_killed = True
            self._cell.resume()
            self._cells.give_back(self._cell)


class Cell:
    """A thread that takes turns with the scheduler's."""

    def __init__(self) -> None:
        self.is_busy = False
        self.is_killed = False
        self.result: object = None
        self.error: BaseException | None = None
        self._function: Callable[[], object] = lambda: None
        self._go = _taken()
        self._back = _taken()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_current(self) -> bool:
        """Say whether this thread asks."""
        return threading.current_thread() is self._thread

    def begin(self, function: Callable[[], object]) -> None:
        """Run a function until it waits or ends."""
        self._function = function
        self.is_busy, self.is_killed, self.error = True, False, None
        self.resume()

    def resume(self) -> None:
        """Give this thread its turn, and wait for the end of that."""
        self._go.release()
        self._back.acquire()

    def suspend(self) -> None:
        """End this thread's turn. Raises ProcessEndedError where the process ended meanwhile."""
        if self.is_killed:
            raise ProcessEndedError
        self._back.release()
        self._go.acquire()
        if self.is_killed:
            raise ProcessEndedError

    def _run(self) -> None:
        while True:
            self._go.acquire()
            try:
                self.result = self._function()
            except BaseException as error:  # noqa: BLE001  handed to who waits
                self.error = error
            self.is_busy = False
            self._back.release()


def _taken() -> threading.Lock:
    """Give a lock that somebody has: to release it is to send a signal."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class Cells:
    """The threads, kept for the next run."""

    def __init__(self) -> None:
        self._idle: list[Cell] = []

    def take(self) -> Cell:
        """Give a thread that has nothing to do."""
        return self._idle.pop() if self._idle else Cell()

    def give_back(self, cell: Cell) -> None:
        """Keep a thread for the next call."""
        self._idle.append(cell)
