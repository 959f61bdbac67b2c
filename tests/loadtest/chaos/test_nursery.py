"""What a nursery bears is a process like any other: its own log, variables, signals and exit status."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from loadtest.chaos.nursery import Nursery, nursery
from pipeline.services.process import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 20.0
UNKNOWN = ("loadtest.chaos.build", "no-such-command")
IDLE = ("pipeline", "worker", "--slot", "0")
NOWHERE = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "CLICKHOUSE_URL": "http://127.0.0.1:9"}


@pytest.fixture(scope="module")
def home() -> Iterator[Nursery]:
    with nursery() as running:
        yield running


def test_it_adds_to_its_log_and_ends_with_its_status(home: Nursery, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    process = home.spawn(UNKNOWN, os.environ, log)
    assert process.wait(SECONDS) == process.poll() == 2
    assert log.read_text().startswith("before\n")
    assert "no-such-command" in log.read_text()


def test_it_sees_the_variables_that_it_is_given_and_no_others(home: Nursery, tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert home.spawn(UNKNOWN, {"HOLDFAST_MUTANT": "nothing"}, log).wait(SECONDS) == 2
    assert "no mutant is called 'nothing'" in log.read_text()
    assert home.spawn(UNKNOWN, {}, log).wait(SECONDS) == 2


def test_a_signal_ends_it_and_its_end_is_known(home: Nursery, tmp_path: Path) -> None:
    process = home.spawn(IDLE, {**os.environ, **NOWHERE, "HOLDFAST_RUN_DIR": str(tmp_path)}, tmp_path / "log")
    assert process.poll() is None
    assert wait_until(lambda: os.getsid(process.pid) == process.pid, SECONDS)
    process.send_signal(signal.SIGSTOP)
    assert wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, SECONDS)
    process.kill()
    assert process.wait(SECONDS) == -signal.SIGKILL
    process.send_signal(signal.SIGKILL)  # nobody is hit who has its id by now
    assert not psutil.pid_exists(process.pid)
