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
from pipeline.settings import read_settings

if TYPE_CHECKING:
    from pipeline.settings import Settings

TICKED = (topics.ORDER_COMMANDS, topics.STOCK_COMMANDS, topics.ROUTING_COMMANDS)
"""The inputs of the stages that have time limits."""


def main(arguments: list[str]) -> int:
    """Tick until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m pipeline clock", description=__doc__)
    parser.add_argument("--once", action="store_true", help="tick once, and end")
    options = parser.parse_args(arguments)
    settings = read_settings(os.environ, needs=("kafka",))
    stopped = threading.Event()
    if not options.once:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
    run(settings, stopped, once=options.once)
    return 0


def run(settings: Settings, stopped: threading.Event, *, once: bool = False) -> None:
    """Tick every `clock_interval_seconds` until stopped. Raises HoldfastError when the log does not take a tick."""
    with Sender(settings) as sender:
        while not stopped.is_set():
            tick(sender, now_ms())
            if once:
                return
            stopped.wait(settings.clock_interval_seconds)


def tick(sender: Sender, at: int) -> None:
    """Say to every stage with time limits that it is `at` (ms UTC)."""
    for topic in TICKED:
        sender.broadcast(topic, Tick(at=at))
    sender.flush()


def now_ms() -> int:
    """Read this machine's clock, in milliseconds UTC."""
    return time.time_ns() // 1_000_000
