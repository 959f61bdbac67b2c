"""A chaos run that is ended by a signal leaves no process, no data and no mount behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from loadtest.options import INTERRUPTED
from pipeline.services.jars import cache_directory
from pipeline.settings import ROOT, VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
END_SECONDS = 120.0
CHAOS = [sys.executable, "-m", "loadtest", "chaos", "--orders", "200", "--faults", "6"]
LASTING = "pause,redis-slow,broker-kill,zombie"
"""Faults that hold servers and workers ended or stopped; one of them is over soon."""


def test_a_run_that_is_ended_leaves_nothing_behind(tmp_path: Path) -> None:
    cache_directory().mkdir(parents=True, exist_ok=True)
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "jars").symlink_to(cache_directory())
    environ = os.environ | {VARIABLES["run_dir"]: str(tmp_path)}
    command = [*CHAOS, "--only", LASTING]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert any("hit: " in line for line in run.stdout)
        run.send_signal(signal.SIGTERM)
        told = run.communicate(timeout=END_SECONDS)[0]
    assert run.returncode == INTERRUPTED
    assert "interrupted: everything is stopped" in told
    assert list(processes_of(tmp_path)) == []
    assert list(tmp_path.glob("run-*")) == []
    assert f"holdfast-chaos-{run.pid}-" not in Path("/proc/mounts").read_text()


def processes_of(run_dir: Path) -> Iterator[str]:
    """Name the processes that were started with a run directory in this one."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(VARIABLES["run_dir"], "").startswith(str(run_dir)) and process.is_running():
                yield f"{process.pid} {' '.join(process.cmdline())}"
