"""One worker process: checks before the first record, then Faust runs the app until SIGTERM."""

from __future__ import annotations

import gc
import logging
import os
from typing import TYPE_CHECKING

import faust
import msgspec
import uvloop

from pipeline import metrics
from pipeline.engine.app import create_app
from pipeline.engine.membership import check_layout
from pipeline.engine.provision import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.engine.stage import Stage
    from pipeline.settings import Settings

GARBAGE_THRESHOLDS = (50_000, 50, 100)
"""Batches make many short-lived objects without cycles: the collector's default of 700 only costs time."""


def run_worker(settings: Settings, stages: Sequence[Stage]) -> int:
    """Run until SIGTERM or SIGINT. Gives 0 after a clean drain; a failure ends the process with a status of its own."""
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiokafka").setLevel("ERROR")
    check_layout()
    check(settings, stages)
    port = metrics.serve(settings.metrics_port)
    _announce(settings, port)
    uvloop.install()
    (settings.run_dir / "faust").mkdir(parents=True, exist_ok=True)
    app = create_app(settings, stages)
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    worker = faust.Worker(app, loglevel=settings.log_level, redirect_stdouts=False, override_logging=False)
    try:
        worker.execute_from_commandline()
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0


def _announce(settings: Settings, port: int) -> None:
    """Write pid and metrics port, whole or not at all."""
    path = settings.run_dir / "workers" / f"{settings.deployment}-{settings.slot}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_bytes(msgspec.json.encode({"pid": os.getpid(), "metrics": f"http://127.0.0.1:{port}/metrics"}))
    scratch.replace(path)
    logging.getLogger(__name__).info("worker %s serves metrics on port %d", settings.slot, port)
