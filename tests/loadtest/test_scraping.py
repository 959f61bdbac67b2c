"""Reading the workers' metrics."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

from loadtest.deployment import UpProcess
from loadtest.scraping import scrape

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = b"""# HELP holdfast_lag_records Records that wait.
# TYPE holdfast_lag_records gauge
holdfast_lag_records{stage="ingest"} 40.0
holdfast_lag_records{stage="dedup"} 2.0
# TYPE holdfast_lag_seconds gauge
holdfast_lag_seconds{stage="ingest"} 1.5
# TYPE holdfast_commit_seconds histogram
holdfast_commit_seconds_bucket{le="+Inf"} 7.0
holdfast_commit_seconds_count 7.0
holdfast_commit_seconds_sum 0.5
"""


class Worker(BaseHTTPRequestHandler):
    """Serves the page, as a worker does."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def worker() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Worker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_lag_is_summed_over_workers_and_age_is_the_oldest() -> None:
    with worker() as address:
        seen = scrape([UpProcess(1, address), UpProcess(2, address)])
    assert seen.lag_records == {"ingest": 80, "dedup": 4}
    assert seen.lag_seconds == {"ingest": 1.5}
    assert seen.commits == {1: 7, 2: 7}


def test_a_worker_that_was_killed_or_serves_nothing_yet_is_left_out() -> None:
    with worker() as address:
        gone = address
    seen = scrape([UpProcess(1, gone), UpProcess(2)])
    assert (dict(seen.lag_records), seen.commits) == ({}, {})
