from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import web

from pipeline.carriers.sandbox_book import Accepted, Moved, Reported
from pipeline.carriers.sf_routes import acknowledgement, read_push
from pipeline.domain.commands import CallKind, Report
from pipeline.services.process import kill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from pipeline.carriers.sandbox_book import AnyEntry
    from tests.carriers.conftest import Caller, Sandbox

    Start = Callable[..., Sandbox]

DEADLINE_SECONDS = 20.0
ORDERS = 30
STEPS = 4
ACKNOWLEDGE = acknowledgement("0000", "")
FAST = ("--report-interval-seconds", "0.05")


class Listener:
    """Takes pushes, answers each with the next of `answers`, and after those acknowledges."""

    def __init__(self, answers: Iterator[web.Response]) -> None:
        self.answers = answers
        self.pushes: list[bytes] = []
        self.acknowledged: list[dict[str, Any]] = []
        self.port = 0

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.pushes.append(body)
        answer = next(self.answers, None)
        if answer is not None:
            return answer
        self.acknowledged += orjson.loads(body)["Body"]["WaybillRoute"]
        return web.Response(body=ACKNOWLEDGE)

    def waybills(self) -> dict[str, list[dict[str, Any]]]:
        """Give what was acknowledged, by parcel, in its order."""
        routes = defaultdict(list)
        for route in self.acknowledged:
            routes[route["orderid"]].append(route)
        return routes

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        runner = web.ServerRunner(web.Server(self.take, access_log=None))  # type: ignore[arg-type]
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        self.port = runner.addresses[0][1]
        try:
            yield f"http://127.0.0.1:{self.port}/routes"
        finally:
            await runner.cleanup()

    async def until(self, routes: int) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len({route["id"] for route in self.acknowledged}) < routes:  # noqa: ASYNC110  no event
                await asyncio.sleep(0.01)


def refusals() -> Iterator[web.Response]:
    yield web.Response(status=500)
    yield web.Response(body=acknowledgement("1000", "full"))
    yield web.Response(body=b"[]")
    yield web.Response(body=b"<html>")
    yield web.Response(status=400, body=acknowledgement("1000", "bad"))


def test_every_parcel_is_reported_step_by_step_until_each_push_is_acknowledged(
    start_sandbox: Start, caller: Caller
) -> None:
    listener = Listener(refusals())
    orders = [caller.command(f"o-{number}") for number in range(ORDERS)]

    async def reporting() -> dict[str, str]:
        async with listener.listening() as url:
            sandbox = await asyncio.to_thread(start_sandbox, *FAST, "--push", url)
            answers = await caller.call_all(sandbox.url, orders)
            await listener.until(ORDERS * STEPS)
        return {answer.key: answer.waybill_no for answer in answers}

    numbers = asyncio.run(reporting())
    waybills = listener.waybills()
    assert {key: {route["mailno"] for route in routes} for key, routes in waybills.items()} == {
        key: {number} for key, number in numbers.items()
    }
    codes = [[route["opCode"] for route in routes] for routes in waybills.values()]
    assert all(steps[0] == "50" and steps[2:] == ["44", "80"] for steps in codes)
    assert {steps[1] for steps in codes} == {"30", "31", "36"}
    assert len({route["id"] for route in listener.acknowledged}) == ORDERS * STEPS
    reports = [report.report for push in listener.pushes for report in read_push(push)]
    assert set(reports) == {Report.COLLECTED, Report.IN_TRANSIT, Report.OUT_FOR_DELIVERY, Report.SIGNED}


def test_a_parcels_first_report_can_be_later_than_the_others(start_sandbox: Start, caller: Caller) -> None:
    listener = Listener(iter(()))

    async def reporting() -> Sandbox:
        async with listener.listening() as url:
            sandbox = await asyncio.to_thread(start_sandbox, *FAST, "--pickup-seconds", "0.6", "--push", url)
            await caller.call_all(sandbox.url, [caller.command("o-1")])
            await listener.until(STEPS)
        return sandbox

    times = [entry.at for entry in asyncio.run(reporting()).entries() if isinstance(entry, Accepted | Moved)]
    waits = [after - before for before, after in pairwise(times)]
    assert waits[0] >= 650
    assert min(waits[1:]) < 600


def test_a_voided_parcel_is_not_reported(start_sandbox: Start, caller: Caller) -> None:
    listener = Listener(iter(()))

    async def reporting() -> None:
        async with listener.listening() as url:
            sandbox = await asyncio.to_thread(start_sandbox, "--report-interval-seconds", "1", "--push", url)
            await caller.call_all(sandbox.url, [caller.command("o-1")])
            await caller.call_all(sandbox.url, [caller.command("o-1", CallKind.VOID), caller.command("o-2")])
            await listener.until(1)

    asyncio.run(reporting())
    assert {route["orderid"] for route in listener.acknowledged} == {"o-2"}


@pytest.mark.parametrize("listening", [False, True])
def test_what_was_not_acknowledged_is_pushed_again_after_a_kill(
    start_sandbox: Start, caller: Caller, *, listening: bool
) -> None:
    listener = Listener(iter(()) if listening else iter(lambda: web.Response(status=503), None))
    orders = [caller.command(f"o-{number}") for number in range(ORDERS)]

    async def reporting() -> tuple[Sandbox, Sandbox]:
        async with listener.listening() as url:
            first = await asyncio.to_thread(start_sandbox, *FAST, "--push", url)
            await caller.call_all(first.url, orders)
            await until_written(first, is_move, ORDERS * STEPS // 2)
            await asyncio.to_thread(kill, first.process)
            listener.answers = iter(())
            second = await asyncio.to_thread(start_sandbox, *FAST, "--push", url)
            await listener.until(ORDERS * STEPS)
            return first, second

    first, _ = asyncio.run(reporting())
    reported = {tuple(step) for entry in first.entries() if isinstance(entry, Reported) for step in entry.steps}
    moved = {(entry.order_id, entry.step) for entry in first.entries() if isinstance(entry, Moved)}
    assert reported <= moved
    ids = defaultdict(set)
    for route in listener.acknowledged:
        ids[route["id"]].add((route["orderid"], route["opCode"], route["acceptTime"]))
    assert (len(ids), {len(said) for said in ids.values()}) == (ORDERS * STEPS, {1})


def test_what_was_acknowledged_is_not_pushed_again_after_a_kill(start_sandbox: Start, caller: Caller) -> None:
    listener = Listener(iter(()))

    async def reporting() -> set[str]:
        async with listener.listening() as url:
            first = await asyncio.to_thread(start_sandbox, *FAST, "--push", url)
            await caller.call_all(first.url, [caller.command("o-old")])
            await listener.until(STEPS)
            await until_written(first, is_last_report, 1)
            await asyncio.to_thread(kill, first.process)
            listener.pushes.clear()
            second = await asyncio.to_thread(start_sandbox, *FAST, "--push", url)
            await caller.call_all(second.url, [caller.command("o-new")])
            await listener.until(2 * STEPS)
        return {report.fulfilment_id for push in listener.pushes for report in read_push(push)}

    assert asyncio.run(reporting()) == {"o-new"}


def is_move(entry: AnyEntry) -> bool:
    return isinstance(entry, Moved)


def is_last_report(entry: AnyEntry) -> bool:
    return isinstance(entry, Reported) and ("o-old", STEPS) in entry.steps


async def until_written(sandbox: Sandbox, wanted: Callable[[AnyEntry], bool], entries: int) -> None:
    """Wait until so many of the wanted entries are in the book."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while sum(map(wanted, sandbox.entries())) < entries:  # noqa: ASYNC110  a file has no event
            await asyncio.sleep(0.01)
