"""`python -m loadtest send`: replay orders into `orders.raw` at their intended times; a process of its own.

It prints JSON lines: how far it is, and at the end the report.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from loadtest.generator import LINGER_MS, Outlet, replay
from loadtest.lateness import SendReport
from loadtest.options import at_least
from loadtest.plan import add_options, make_plan
from loadtest.scenario import read_scenario
from pipeline.services.process import be_nice
from pipeline.settings import read_settings

if TYPE_CHECKING:
    from loadtest.generator import Progress

NICENESS = -10


class SendLine(msgspec.Struct, frozen=True):
    """What the generator prints: records sent so far, how late one was since it last did; at the end the report."""

    sent: int
    late_seconds: float
    report: SendReport | None = None


def main(arguments: list[str]) -> int:
    """Send. Gives 0 when all was acknowledged and in time."""
    parser = argparse.ArgumentParser(prog="python -m loadtest send", description="replay orders into orders.raw")
    parser.add_argument("--file", type=Path, help="a scenario that was written before, instead of the options below")
    parser.add_argument("--at-once", action="store_true", help="as fast as the broker takes them")
    parser.add_argument("--linger-ms", type=int, default=LINGER_MS, help=f"how long a batch is gathered ({LINGER_MS})")
    add_options(parser)
    options = parser.parse_args(arguments)
    at_least(0, linger_ms=options.linger_ms)
    settings = read_settings(os.environ, needs=("kafka",))
    scenario = read_scenario(options.file) if options.file else make_plan(options).scenario
    outlet = Outlet(settings.kafka, settings.kafka_config, options.linger_ms)
    _go_first()
    report = replay(scenario, outlet, _show, at_once=options.at_once)
    _print(SendLine(report.records, report.late_seconds_max, report))
    return 0 if report.valid else 1


def _go_first() -> None:
    """Run before the processes that are measured, where root allows it: shops do not wait for their CPU."""
    be_nice(os.getpid(), NICENESS)


def _show(progress: Progress) -> None:
    _print(SendLine(*progress))


def _print(line: SendLine) -> None:
    print(msgspec.json.encode(line).decode(), flush=True)
