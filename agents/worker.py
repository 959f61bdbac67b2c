"""`python -m pipeline worker [--stages a,b] [--slot N]`: one Faust worker."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

import msgspec

from agents import stages
from pipeline.engine.worker import run_worker
from pipeline.errors import SettingsError
from pipeline.settings import read_settings

if TYPE_CHECKING:
    from pipeline.engine.stage import Stage
    from pipeline.settings import Settings


def main(arguments: list[str]) -> int:
    """Run a worker until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m pipeline worker", description=__doc__)
    parser.add_argument("--stages", default="", help="the stages to run, separated by commas; all if not given")
    parser.add_argument("--slot", default="", help="the worker's place in the deployment (HOLDFAST_SLOT)")
    given = parser.parse_args(arguments)
    settings = read_settings(os.environ, needs=("kafka",))
    if given.slot:
        settings = msgspec.structs.replace(settings, slot=given.slot)
    return run_worker(settings, chosen(settings, given.stages))


def chosen(settings: Settings, names: str) -> tuple[Stage, ...]:
    """Give the stages that are named, in flow order; all where none is."""
    known = {stage.name: stage for stage in stages(settings)}
    wanted = [name.strip() for name in names.split(",") if name.strip()] or list(known)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        message = f"--stages: no stage is called {unknown[0]!r}; there are {', '.join(known)}"
        raise SettingsError(message)
    return tuple(stage for name, stage in known.items() if name in wanted)
