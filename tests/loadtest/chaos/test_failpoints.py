from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from loadtest.chaos.failpoints import NAMES, RECORD_FILE, Failpoint, read_failpoint
from pipeline.errors import SettingsError
from pipeline.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# Without a broker there is no transaction: a plain producer of the engine stands in, which queues the records.
PROGRAM = """
import sys
from pathlib import Path
from loadtest.chaos import failpoints
from pipeline.engine import clients
from pipeline.settings import Settings

clients.transactional_producer = clients.producer
failpoints.arm(failpoints.Failpoint("produce." + sys.argv[1], 2, sys.argv[2]))
producer = clients.transactional_producer(Settings(run_dir=Path(sys.argv[3]), slot="7", kafka="127.0.0.1:9"))
for number in range(3):
    producer.produce("topic", b"value")
"""


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_read(name: str) -> None:
    assert read_failpoint({"HOLDFAST_FAILPOINT": f"{name}:3"}) == Failpoint(name, 3, "kill")
    assert read_failpoint({"HOLDFAST_FAILPOINT": f"{name}:1:stop"}) == Failpoint(name, 1, "stop")


def test_without_the_variable_there_is_none() -> None:
    assert read_failpoint({}) is None


@pytest.mark.parametrize("text", ["commit", "commit.before", "commit.before:0", "commit.before:x", "no.such:1"])
def test_a_wrong_one_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match="HOLDFAST_FAILPOINT.*" + text):
        read_failpoint({"HOLDFAST_FAILPOINT": text})


@pytest.mark.parametrize("side", ["before", "after"])
def test_the_process_dies_at_the_hit_and_leaves_a_line(tmp_path: Path, side: str) -> None:
    command = [sys.executable, "-c", PROGRAM, side, "kill", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    line = json.loads((tmp_path / RECORD_FILE).read_text())
    assert (line["failpoint"], line["slot"], line["hit"]) == (f"produce.{side}", "7", 2)


def test_a_stopped_process_goes_on_where_it_was(tmp_path: Path) -> None:
    stopped = subprocess.Popen([sys.executable, "-c", PROGRAM, "before", "stop", str(tmp_path)], cwd=ROOT)
    _, status = os.waitpid(stopped.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    stopped.send_signal(signal.SIGCONT)
    assert stopped.wait(30) == 0
    assert len((tmp_path / RECORD_FILE).read_text().splitlines()) == 1
