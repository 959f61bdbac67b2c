"""The servers of the tests: those that the environment names, else embedded ones, or containers with `--containers`.

Each is started when the first test asks for it, and serves the whole session.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from pipeline.services import running
from pipeline.services.containers import running_container
from pipeline.settings import SERVICES, VARIABLES, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_configure() -> None:
    """Leave time limits to pytest: on a busy machine any one example may take a second."""
    settings.register_profile("holdfast", deadline=None)
    settings.load_profile("holdfast")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--containers", action="store_true", help="start the servers as containers (needs Docker)")


@pytest.fixture(scope="session")
def run_dir() -> Iterator[Path]:
    """Give the session's own run directory."""
    base = read_settings(os.environ).run_dir
    base.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="tests-", dir=base))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def kafka(run_dir: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give a broker's `host:port`."""
    yield from _address("kafka", run_dir, request)


@pytest.fixture(scope="session")
def redis(run_dir: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give a Redis server's URL."""
    yield from _address("redis", run_dir, request)


@pytest.fixture(scope="session")
def clickhouse(run_dir: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the URL of a ClickHouse server's HTTP interface."""
    yield from _address("clickhouse", run_dir, request)


@pytest.fixture(scope="session")
def services(kafka: str, redis: str, clickhouse: str) -> dict[str, str]:
    """Give the addresses of all three, by name."""
    return dict(zip(SERVICES, (kafka, redis, clickhouse), strict=True))


def _address(name: str, run_dir: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    given = os.environ.get(VARIABLES[name], "")
    if given:
        yield given
    elif request.config.getoption("--containers"):
        with running_container(name) as address:
            yield address
    else:
        with running(run_dir, (name,)) as addresses:
            yield addresses[name]
