"""What the peers need and this project does not: made on demand, pinned, under the run directory.

Packages of Python come from `requirements.txt`, locked by hashes, into an environment of their own: they want other
versions than this project has. The Java program is built by Maven from the versions in `pom.xml`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import SetupError
from pipeline.installing import PIP_OPTIONS
from pipeline.services.java import find_java

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

HERE = Path(__file__).parent
LOCK_FILE = HERE / "requirements.txt"
STREAMS = HERE / "programs" / "streams"
BUILD_SECONDS_MAX = 900.0
TAIL_LINES = 6
JAVA_RELEASE = 17


def ensure(needs: Collection[str], directory: Path) -> dict[str, str]:
    """Make what is needed and not there. Gives what cannot be had here, each with why."""
    directory.mkdir(parents=True, exist_ok=True)
    missing = {}
    for need, make in (("packages", _packages), ("java", _streams)):
        if need in needs:
            try:
                make(directory)
            except SetupError as error:
                missing[need] = str(error)
    return missing


def _packages(directory: Path) -> None:
    """Make the environment."""
    place, digest = directory / "venv", _digest([LOCK_FILE])
    if _is_made(place, digest):
        return
    shutil.rmtree(place, ignore_errors=True)
    print(f"peers: installing their packages into {place}", file=sys.stderr)
    _run((os.path.realpath(sys.executable), "-m", "venv", str(place)), directory)
    _run((str(place / "bin" / "python"), "-m", "pip", "install", *PIP_OPTIONS, "-r", str(LOCK_FILE)), directory)
    _stamp(place).write_text(digest)


def _streams(directory: Path) -> None:
    """Build the Java program."""
    place, digest = directory / "streams", _digest(sorted(path for path in STREAMS.rglob("*") if path.is_file()))
    if _is_made(place, digest):
        return
    maven = shutil.which("mvn")
    if maven is None or shutil.which("javac") is None:
        message = f"Kafka Streams wants Maven and a JDK of version {JAVA_RELEASE} or newer (`mvn`, `javac`) to be built"
        raise SetupError(message)
    find_java()
    shutil.rmtree(place, ignore_errors=True)
    print(f"peers: building the Kafka Streams program into {place}", file=sys.stderr)
    _run((maven, "-q", "-B", "-f", str(STREAMS / "pom.xml"), f"-Dpeers.target={place}", "package"), directory)
    _stamp(place).write_text(digest)


def _run(command: Sequence[str], directory: Path) -> None:
    """Run a step. Raises SetupError with the end of what it said."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=BUILD_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        message = f"{Path(command[0]).name} was not done within {BUILD_SECONDS_MAX:g} s"
        raise SetupError(message) from error
    if done.returncode:
        tail = "\n".join(f"  {line}" for line in done.stdout.splitlines()[-TAIL_LINES:])
        message = f"{Path(command[0]).name} failed with status {done.returncode}:\n{tail}"
        raise SetupError(message)


def _is_made(place: Path, digest: str) -> bool:
    stamp = _stamp(place)
    return stamp.exists() and stamp.read_text() == digest


def _stamp(place: Path) -> Path:
    """Say where it is written down what a place was made from; it is written last."""
    return place / "holdfast-stamp"


def _digest(files: Sequence[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
