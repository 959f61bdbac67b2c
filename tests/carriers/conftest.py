from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from aiohttp import web

from pipeline.carriers.caller import connect
from pipeline.carriers.sandbox_book import AnyEntry
from pipeline.domain.commands import CallCarrier, CallKind
from pipeline.domain.orders import ShipTo, SkuUnits
from pipeline.services.process import Running, Server, kill, launch
from pipeline.settings import ROOT, Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from pipeline.domain.commands import RecordAnswer

CHECK_WORD = "cw"
LINE: msgspec.json.Decoder[AnyEntry] = msgspec.json.Decoder(AnyEntry)
SHIP_TO = ShipTo(name="张三", phone="138", province="广东省", city="深圳市", district="南山区", address_detail="一号")
SANDBOX = (sys.executable, "-c", "import sys; from pipeline.cli import main; sys.exit(main(sys.argv[1:]))", "sandbox")


class Caller:
    """The caller under test, as a function that needs no loop."""

    def command(self, key: str, kind: CallKind = CallKind.CREATE) -> CallCarrier:
        return CallCarrier(
            at=1,
            fulfilment_id=key,
            key=key,
            kind=kind,
            carrier="sf",
            warehouse="WH-1",
            units=(SkuUnits("A", 2),),
            ship_to=SHIP_TO,
        )

    def call(self, url: str, commands: Sequence[CallCarrier], check_word: str = CHECK_WORD) -> list[RecordAnswer]:
        return asyncio.run(self.call_all(url, commands, check_word))

    async def call_all(
        self, url: str, commands: Sequence[CallCarrier], check_word: str = CHECK_WORD
    ) -> list[RecordAnswer]:
        """Make all calls at once."""
        settings = Settings(carrier_url=f"{url}/std/service", carrier_check_word=check_word)
        async with connect(settings) as call:
            answers = await asyncio.gather(*map(call, commands))
        return [answer for (answer,) in answers]

    def call_against(
        self, serve: Callable[[web.Request], Awaitable[web.StreamResponse]], command: CallCarrier
    ) -> RecordAnswer:
        """Call a server that answers every request by `serve`."""

        async def calling() -> RecordAnswer:
            runner = web.ServerRunner(web.Server(serve, access_log=None, handler_cancellation=True))  # type: ignore[arg-type]
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            try:
                (answer,) = await self.call_all(f"http://127.0.0.1:{runner.addresses[0][1]}", [command])
            finally:
                await runner.cleanup()
            return answer

        return asyncio.run(calling())


class Sandbox:
    """A sandbox in a process of its own, and what its book says."""

    def __init__(self, directory: Path, options: Sequence[str]) -> None:
        self.book = directory / "book.jsonl"
        ready = directory / "ready"
        ready.unlink(missing_ok=True)
        place = ("--port", "0", "--book", str(self.book), "--ready-file", str(ready), "--check-word", CHECK_WORD)
        server = Server(
            name="sandbox",
            command=(*SANDBOX, *place, *options),
            address="",
            directory=directory,
            environ={"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        )
        self.process: Running = launch(server, ready.exists)
        self.url = ready.read_text()

    def entries(self) -> list[AnyEntry]:
        """Read its book, up to the last whole line."""
        whole, _, _ = self.book.read_bytes().rpartition(b"\n")
        return [LINE.decode(line) for line in whole.splitlines()]


@pytest.fixture
def caller() -> Caller:
    return Caller()


@pytest.fixture
def start_sandbox(tmp_path: Path) -> Iterator[Callable[..., Sandbox]]:
    """Give a function that starts a sandbox, each time on the same book. What it started is gone after the test."""
    started: list[Sandbox] = []

    def start(*options: str) -> Sandbox:
        started.append(Sandbox(tmp_path, options))
        return started[-1]

    yield start
    for sandbox in started:
        kill(sandbox.process)


@pytest.fixture(scope="module")
def quiet_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Give a sandbox that reports nothing, for tests that change nothing in it."""
    sandbox = Sandbox(tmp_path_factory.mktemp("quiet"), ("--report-interval-seconds", "3600"))
    yield sandbox
    kill(sandbox.process)
