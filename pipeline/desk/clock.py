"""`python -m pipeline clock`: says into every partition what time it is, so that time limits are in the log.

Without it nothing wrong happens, only nothing in time: no unpaid order is cancelled, no hold expires, nobody reminded.
Several clocks at once are harmless: a deadline that was answered is gone.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from pipeline import topics
from pipeline.desk.sending import Sender
from pipeline.domain.commands import Tick
from pipeline.domain.orders import TIME_MS_MAX
from pipeline.settings import read_settings

if TYPE_CHECKING:
    from pipeline.settings import Settings

TICKED = (topics.ORDER_COMMANDS, topics.STOCK_COMMANDS, topics.ROUTING_COMMANDS, topics.TRACKING_COMMANDS)
"""The inputs of the stages that have time limits."""


def main(arguments: list[str]) -> int:
    """Tick until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m pipeline clock", description=__doc__)
    parser.add_argument("--once", action="store_true", help="tick once, and end")
    parser.add_argument("--at", type=int, help="with --once: say this time, ms UTC, where a replay has its own")
    options = parser.parse_args(arguments)
    if options.at is not None and not (options.once and 0 <= options.at <= TIME_MS_MAX):
        parser.error(f"--at: goes with --once, and is from 0 to {TIME_MS_MAX} (it is {options.at})")
    settings = read_settings(os.environ, needs=("kafka",))
    if options.once:
        with Sender(settings) as sender:
            tick(sender, now_ms() if options.at is None else options.at)
        return 0
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    run(settings, stopped)
    return 0


def run(settings: Settings, stopped: threading.Event) -> None:
    """Tick every `clock_interval_seconds` until stopped. Raises HoldfastError when the log does not take a tick."""
    with Sender(settings) as sender:
        while not stopped.is_set():
            tick(sender, now_ms())
            stopped.wait(settings.clock_interval_seconds)


def tick(sender: Sender, at: int) -> None:
    """Say to every stage with time limits that it is `at` (ms UTC)."""
    for topic in TICKED:
        sender.broadcast(topic, Tick(at=at))
    sender.flush()


def now_ms() -> int:
    """Read this machine's clock, in milliseconds UTC."""
    return time.time_ns() // 1_000_000
