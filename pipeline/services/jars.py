"""Apache Kafka's jars: listed flat and pinned by their SHA-256 in `kafka-jars.json`, fetched by `jgo`.

The list names every jar of the broker, and not the broker's own coordinate alone, because jgo's resolver picks older
versions of some jars than Kafka was released with.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import SetupError
from pipeline.services.java import find_java
from pipeline.settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LIST = Path(__file__).with_name("kafka-jars.json")
FETCH_SECONDS_MAX = 900.0
OUTPUT_TAIL_LINES = 8


class Jar(msgspec.Struct, frozen=True):
    """A jar: its Maven coordinate `group:artifact:version`, and the SHA-256 of the file in hexadecimal."""

    coordinate: str
    sha256: str

    @property
    def file(self) -> str:
        """The name of its file."""
        _group, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def cache_directory() -> Path:
    """Say where the jars are kept: in the run directory, shared by every broker that is started from it."""
    return Path(os.environ.get("HOLDFAST_RUN_DIR", str(ROOT / ".run"))).resolve() / "kafka" / "jars"


def ensure_jars(directory: Path) -> tuple[Path, ...]:
    """Give the paths of the broker's jars, each checked; fetch those that are missing or wrong.

    Raises SetupError, which says how to go on, when they cannot be had.
    """
    jars = msgspec.json.decode(LIST.read_bytes(), type=tuple[Jar, ...])
    directory.mkdir(parents=True, exist_ok=True)
    with _alone_in(directory):
        missing = _missing(jars, directory)
        if missing:
            text = f"kafka: fetching {len(missing)} of {len(jars)} jars (45 MB in all) into {directory}"
            print(text, file=sys.stderr)
            _fetch(missing, directory)
    return tuple(directory / jar.file for jar in jars)


def _missing(jars: Sequence[Jar], directory: Path) -> list[Jar]:
    return [jar for jar in jars if not _is_right(jar, directory / jar.file)]


def _is_right(jar: Jar, path: Path) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == jar.sha256


def _fetch(jars: Sequence[Jar], directory: Path) -> None:
    """Fetch into a directory of this call's own, check, and move into place: a file in place is a whole file."""
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix="fetch-") as name:
        scratch = Path(name)
        output = _run_jgo(jars, scratch, _way_on(directory))
        for jar in jars:
            found = next(iter(sorted(scratch.glob(f"got/*/{jar.file}"))), None)
            if found is None or not _is_right(jar, found):
                what = "did not come" if found is None else "has another SHA-256 than the pinned one"
                message = f"{jar.coordinate} {what}; {_way_on(directory)}\n{output}"
                raise SetupError(message)
            found.replace(directory / jar.file)


def _run_jgo(jars: Sequence[Jar], scratch: Path, way_on: str) -> str:
    """Run jgo on a flat list of coordinates; `way_on` ends the error. Gives the end of what it printed."""
    coordinates = json.dumps([jar.coordinate for jar in jars])
    sections = (
        '[environment]\nname = "kafka"\n',
        f"[dependencies]\ncoordinates = {coordinates}\n",
        '[settings]\ncache_dir = "got"\n',
    )
    (scratch / "jgo.toml").write_text("\n".join(sections))
    command = (sys.executable, "-m", "jgo", "--resolver", "python", "--class-path-only", "--system-java")
    try:
        done = subprocess.run(  # noqa: S603 - the command is this project's own
            (*command, "--links", "copy", "sync"),
            cwd=scratch,
            env=_environ(scratch),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=FETCH_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        message = f"the jars did not come within {FETCH_SECONDS_MAX:g} s; {way_on}"
        raise SetupError(message) from error
    lines = [line for line in done.stdout.splitlines() if line.strip() and not line.startswith(("Downloading", " "))]
    return "\n".join(f"  jgo: {line}" for line in lines[-OUTPUT_TAIL_LINES:])


def _environ(scratch: Path) -> dict[str, str]:
    """Keep jgo's caches out of the home directory, which may not be writable; show it a Java, else it fetches one."""
    java = find_java()
    return {
        **os.environ,
        "M2_REPO": str(scratch / "repository"),
        "JGO_CACHE_DIR": str(scratch / "cache"),
        "JAVA_HOME": str(java.parent.parent),
        "PATH": os.pathsep.join((str(java.parent), os.environ.get("PATH", os.defpath))),
    }


def _way_on(directory: Path) -> str:
    return (
        "check the network (a mirror: the [repositories] section of jgo's own configuration file) and start again, "
        f"or put the files that {LIST.name} lists into {directory}, "
        "or name a running broker in KAFKA_BOOTSTRAP_SERVERS"
    )


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Hold the directory for this process: of two starts at once, the second finds what the first has fetched."""
    with (directory.parent / "jars.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
