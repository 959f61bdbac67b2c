"""Faults at their times."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, cast

import pytest

from loadtest.profiles.faults import Faults
from loadtest.profiles.shape import Fault, FaultKind
from pipeline.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtest.deployment import Deployment

DEADLINE_SECONDS = 10.0


class Sandbox(BaseHTTPRequestHandler):
    """A carrier whose calls fail, three between two looks, while it is told to be broken."""

    changes: list[dict[str, float]]
    failed: int

    def do_POST(self) -> None:
        server = cast("Any", self.server)
        change = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.failed += 3 if server.changes and server.changes[-1]["error_share"] else 0
        server.changes.append(change)
        body = json.dumps({"counters": {"fault broken": server.failed, "fault none": 9}}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Place:
    """A deployment without workers, beside this carrier."""

    def __init__(self, url: str) -> None:
        self._url = url

    def sandbox_url(self) -> str:
        return self._url

    def processes(self) -> dict[str, object]:
        return {}


@pytest.fixture
def carrier() -> Iterator[Any]:
    server = cast("Any", HTTPServer(("127.0.0.1", 0), Sandbox))
    server.changes, server.failed = [], 0
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def faults(server: object, *planned: Fault) -> Faults:
    url = f"http://127.0.0.1:{cast('Any', server).server_port}"
    return Faults(planned, cast("Deployment", Place(url)), lambda _: None)


def test_an_outage_begins_at_its_time_ends_after_its_time_and_tells_what_it_did(carrier: Any) -> None:  # noqa: ANN401
    found = faults(carrier, Fault(kind=FaultKind.CARRIER_OUTAGE, at_seconds=0.05, seconds=0.1))
    found.begin()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while found.waiting:
        assert time.monotonic() < deadline
        found.look()
    assert carrier.changes == [{"error_share": 1.0}, {"error_share": 0.0}]
    (struck,) = found.struck
    assert struck.kind == "carrier-outage"
    assert struck.at_seconds >= 0.05
    assert struck.told.endswith(": 3 calls failed")


def test_nothing_is_done_before_its_time(carrier: Any) -> None:  # noqa: ANN401
    found = faults(carrier, Fault(kind=FaultKind.CARRIER_OUTAGE, at_seconds=1000))
    found.begin()
    found.look()
    assert (carrier.changes, found.struck, found.waiting) == ([], [], True)


def test_a_kill_without_a_worker_is_no_silent_success(carrier: Any) -> None:  # noqa: ANN401
    found = faults(carrier, Fault(kind=FaultKind.WORKER_KILL, at_seconds=0))
    found.begin()
    with pytest.raises(SetupError, match="there was no worker to kill"):
        found.look()
