"""What the calls to the carrier cost: the real caller against a carrier sandbox of its own, over HTTP on loopback."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil
import uvloop

from agents.carrier_calls import CARRIER_CALLS
from loadtest.costs.floor import MICROSECONDS, Cost
from pipeline.engine.batches import Batch
from pipeline.engine.calling import Calling
from pipeline.engine.membership import Membership
from pipeline.errors import SetupError
from pipeline.settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.engine.stage import Record
    from pipeline.settings import Settings

READY_SECONDS = 60.0
POLL_SECONDS = 0.01
BATCH_RECORDS = 500
WARM_CALLS = 500
MEMBERSHIP = Membership("costs", 1, "member")


class _Engine:
    """What a calling stage asks of its engine, without a group: the membership never changes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.membership = MEMBERSHIP
        self.settled = 0

    async def may_call(self, _batch: Batch) -> bool:
        return True

    async def settle(self, batch: Batch, emit: Callable[[], None]) -> None:
        emit()
        self.settled += len(batch.records)

    def crash(self, error: BaseException) -> None:
        raise error


def measure_calls(settings: Settings, calls: Sequence[Record]) -> Cost:
    """Make these calls. Gives the CPU microseconds of a call: this process's, and the sandbox's as the other side's."""
    with tempfile.TemporaryDirectory() as directory:
        ready = Path(directory, "ready")
        arguments = ["--port", "0", "--book", str(Path(directory, "book")), "--ready-file", str(ready)]
        with subprocess.Popen(  # noqa: S603  the project's own command
            [sys.executable, "-m", "pipeline", "sandbox", *arguments, "--report-interval-seconds", "86400"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        ) as sandbox:
            try:
                url = f"{_address(ready, sandbox)}/std/service"
                return uvloop.run(_measure(msgspec.structs.replace(settings, carrier_url=url), calls, sandbox.pid))
            finally:
                sandbox.terminate()


def _address(ready: Path, sandbox: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + READY_SECONDS
    while not ready.exists() or not (text := ready.read_text().strip()):
        if sandbox.poll() is not None or time.monotonic() > deadline:
            message = "the carrier sandbox did not become ready"
            raise SetupError(message)
        time.sleep(POLL_SECONDS)
    return text.rstrip("/")


async def _measure(settings: Settings, calls: Sequence[Record], sandbox: int) -> Cost:
    engine = _Engine(settings)
    calling = Calling(CARRIER_CALLS, lambda *_: None, engine)  # type: ignore[arg-type]  # all that a stage asks of it
    other = psutil.Process(sandbox)

    async def run(records: Sequence[Record]) -> None:
        target = engine.settled + len(records)
        for begin in range(0, len(records), BATCH_RECORDS):
            batch = Batch(MEMBERSHIP, CARRIER_CALLS.reads.name, 0, list(records[begin : begin + BATCH_RECORDS]))
            await calling.start(batch)
        while engine.settled < target:  # noqa: ASYNC110  the calling stage tells nobody that it has settled
            await asyncio.sleep(POLL_SECONDS)

    warm = min(WARM_CALLS, len(calls) // 2)
    await run(calls[:warm])
    began, theirs = time.process_time(), sum(other.cpu_times()[:2])
    await run(calls[warm:])
    ended, by_sandbox = time.process_time(), sum(other.cpu_times()[:2])
    await calling.stop()
    count = max(1, len(calls) - warm)
    return Cost((ended - began) / count * MICROSECONDS, (by_sandbox - theirs) / count * MICROSECONDS)
