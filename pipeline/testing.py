"""`python -m pipeline test [pytest's arguments]`: the tests, those that need servers too."""

from __future__ import annotations

import os
import sys

import pytest

from pipeline.settings import ROOT

CONTAINERS = "--containers"
"""Start the servers as containers instead of as processes of this machine."""
EXIT_NO_ENGINE = 2


def main(arguments: list[str]) -> int:
    """Run pytest. Gives its exit status, or 2 when containers are asked for and no Docker engine answers."""
    if CONTAINERS in arguments:
        problem = _engine_problem()
        if problem:
            print(f"{CONTAINERS}: no Docker engine answers ({problem})", file=sys.stderr)
            return EXIT_NO_ENGINE
    os.chdir(ROOT)
    return int(pytest.main(arguments))


def _engine_problem() -> str:
    """Ask the Docker engine for a sign of life. Gives what went wrong in one line, or nothing."""
    import docker  # noqa: PLC0415 - a second of imports, for those who ask for containers
    from docker.errors import DockerException  # noqa: PLC0415

    try:
        client = docker.from_env()
        try:
            client.ping()
        finally:
            client.close()
    except DockerException as error:
        return str(error).splitlines()[0]
    return ""
