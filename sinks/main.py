"""`python -m pipeline sink`: stream order.events into ClickHouse and Redis.

Each sink has a thread and a consumer group of its own: one that waits for its server holds up nothing else. SIGTERM and
SIGINT let both store what they have in hand; an error that a restart must settle ends the process with status 1.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import threading
from typing import TYPE_CHECKING

from pipeline.errors import HoldfastError
from pipeline.metrics import serve
from pipeline.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from pipeline.settings import Settings

LOG = logging.getLogger(__name__)
SINKS = ("clickhouse", "redis")
GARBAGE_THRESHOLDS = (50_000, 50, 100)
"""Rows have no cycles: looking for some after every 700 objects, the collector's default, took a fifth of the time."""
LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def main(arguments: list[str]) -> int:
    """Run the sinks until told to stop. Gives 0 after a stop on request, 1 after an error."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline sink", description="stream order.events into ClickHouse and Redis"
    )
    parser.add_argument("--only", choices=SINKS, help="run one of the two")
    parser.add_argument(
        "--metrics-port", type=int, default=None, help="serve Prometheus metrics here; 0 takes a free port"
    )
    parser.add_argument(
        "--accept-gap", action="store_true", help="go on where records between store and log are gone for ever"
    )
    options = parser.parse_args(arguments)
    names = (options.only,) if options.only else SINKS
    settings = read_settings(os.environ, needs=("kafka", *names))
    logging.basicConfig(level=settings.log_level, format=LINE)
    if options.metrics_port is not None:
        LOG.info("metrics on port %d", serve(options.metrics_port))
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    stop = threading.Event()

    def _stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    return run_sinks({name: _opener(name, settings, accept_gap=options.accept_gap) for name in names}, stop)


def run_sinks(sinks: dict[str, Callable[[threading.Event], None]], stop: threading.Event) -> int:
    """Run each sink on a thread until `stop`, or until one fails, which stops the others. Gives the exit status."""
    failures: list[str] = []

    def guarded(name: str, run: Callable[[threading.Event], None]) -> None:
        ended = False
        try:
            run(stop)
            ended = stop.is_set()
        except HoldfastError as error:
            LOG.error("the sink %s stops: %s", name, error)  # noqa: TRY400 - the message says it all
        finally:
            # Also for an error that nobody expected: its traceback is printed, and the process must not live on.
            if not ended:
                failures.append(name)
            stop.set()

    threads = [threading.Thread(target=guarded, args=item, name=item[0]) for item in sinks.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 1 if failures else 0


def _opener(name: str, settings: Settings, *, accept_gap: bool) -> Callable[[threading.Event], None]:
    def run(stop: threading.Event) -> None:
        # Loaded where they are used: a sink that is not run needs no client library.
        if name == "clickhouse":
            from sinks.clickhouse import ClickHouseSink  # noqa: PLC0415
            from sinks.store import open_store  # noqa: PLC0415

            ClickHouseSink(settings, open_store(settings.clickhouse), accept_gap=accept_gap).run(stop)
        else:
            from sinks.redis import RedisSink  # noqa: PLC0415

            RedisSink(settings).run(stop)

    return run
