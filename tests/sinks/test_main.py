from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pipeline.errors import EngineError
from sinks.main import run_sinks

if TYPE_CHECKING:
    import pytest


def _waits(stop: threading.Event) -> None:
    assert stop.wait(10)


def _fails(_stop: threading.Event) -> None:
    message = "the log and the store do not belong together"
    raise EngineError(message)


def _returns(_stop: threading.Event) -> None:
    return


def test_sinks_that_were_told_to_stop_end_well() -> None:
    stop = threading.Event()
    stop.set()
    assert run_sinks({"clickhouse": _waits, "redis": _waits}, stop) == 0


def test_a_sink_that_fails_ends_the_process(caplog: pytest.LogCaptureFixture) -> None:
    assert run_sinks({"clickhouse": _fails, "redis": _waits}, threading.Event()) == 1
    assert "the sink clickhouse stops: the log and the store do not belong together" in caplog.text


def test_a_sink_that_ends_by_itself_ends_the_process() -> None:
    assert run_sinks({"clickhouse": _returns, "redis": _waits}, threading.Event()) == 1
