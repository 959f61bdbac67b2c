"""The embedded ClickHouse: the engine of the chDB wheel in a process of its own, behind ClickHouse's HTTP interface.

Clients take its address as they would a server's. It listens on the loopback address alone; where the environment names
a password in HOLDFAST_CLICKHOUSE_PASSWORD, requests need it, and the address carries it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import urllib3

from pipeline.services.process import BEHIND_ORDERS, LOOPBACK, Running, Server, free_port, launch
from pipeline.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

NAME = "clickhouse"
MODULE = "pipeline.services.clickhouse_server"
PASSWORD_VARIABLE = "HOLDFAST_CLICKHOUSE_PASSWORD"  # noqa: S105 - the name of a variable, not a password
READY_WITHIN_SECONDS = 60.0
PROBE_SECONDS = 2.0


def start(directory: Path) -> Running:
    """Start a server on a directory, new or used before, and wait until it answers `SELECT 1`. Raises SetupError."""
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    kept = directory / "port"
    port = free_port(int(kept.read_text()) if kept.exists() else 0)
    kept.write_text(str(port))
    password = os.environ.get(PASSWORD_VARIABLE, "")
    address = (
        f"http://default:{quote(password, safe='')}@{LOOPBACK}:{port}" if password else f"http://{LOOPBACK}:{port}"
    )
    server = Server(
        name=NAME,
        # -P: the directory that the server runs in is no place to import from.
        command=(sys.executable, "-P", "-m", MODULE, "--directory", str(directory / "data"), "--port", str(port)),
        address=address,
        directory=directory,
        environ={"PYTHONPATH": str(ROOT)},
        ready_within_seconds=READY_WITHIN_SECONDS,
        niceness=BEHIND_ORDERS,
    )
    return launch(server, lambda: answers(address))


def answers(address: str) -> bool:
    """Say whether a server answers `SELECT 1`."""
    url = urllib3.util.parse_url(address)
    headers = urllib3.make_headers(basic_auth=unquote(url.auth)) if url.auth else {}
    target = f"{url.scheme}://{url.host}:{url.port}/?query=SELECT%201"
    try:
        with urllib3.PoolManager(retries=False, timeout=PROBE_SECONDS) as pool:
            response = pool.request("GET", target, headers=headers)
    except urllib3.exceptions.HTTPError:
        return False
    return bool(response.status == 200 and response.data.strip() == b"1")  # noqa: PLR2004 - HTTP's own number
