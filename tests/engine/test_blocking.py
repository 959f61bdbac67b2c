"""Whoever waits for the engine's thread waits to its end, cancelled or not."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pipeline.engine.blocking import Blocking

SECONDS = 10.0


def test_a_caller_that_is_cancelled_leaves_only_when_the_thread_is_done() -> None:
    begun, may_end, order = threading.Event(), threading.Event(), list[str]()

    def work() -> None:
        begun.set()
        assert may_end.wait(SECONDS)
        order.append("done")

    async def run() -> None:
        blocking, lock = Blocking("test"), asyncio.Lock()

        async def hold() -> None:
            async with lock:
                await blocking.run(work)

        holder = asyncio.create_task(hold())
        await asyncio.get_running_loop().run_in_executor(None, begun.wait, SECONDS)
        holder.cancel()
        await asyncio.sleep(0)
        holder.cancel()
        asyncio.get_running_loop().call_later(0.05, may_end.set)
        async with asyncio.timeout(SECONDS), lock:
            order.append("locked")
        with pytest.raises(asyncio.CancelledError):
            await holder

    asyncio.run(run())
    assert order == ["done", "locked"]


def test_a_failure_counts_for_more_than_a_cancellation() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def fail() -> None:
        begun.set()
        assert may_end.wait(SECONDS)
        message = "it failed"
        raise ValueError(message)

    async def run() -> None:
        task = asyncio.create_task(Blocking("test").run(fail))
        await asyncio.get_running_loop().run_in_executor(None, begun.wait, SECONDS)
        task.cancel()
        asyncio.get_running_loop().call_later(0.05, may_end.set)
        with pytest.raises(ValueError, match="it failed"):
            await task

    asyncio.run(run())


def test_what_is_run_gives_its_result() -> None:
    assert asyncio.run(Blocking("test").run(lambda number: number + 1, 1)) == 2
