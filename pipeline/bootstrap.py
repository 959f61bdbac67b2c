"""The set-up: an environment in `.venv`, made from the hash-locked `requirements.txt`, entered on every start.

Only the standard library is imported here, and on a start with nothing to do as little of it as can be. A set-up that
was cut short leaves a marker, and the next start begins it anew; two starts at once wait for each other.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from pipeline.errors import SetupError

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK_FILE = ROOT / "pipeline" / "requirements.txt"
STAMP = VENV / "holdfast-stamp"
"""Says what the environment was made from: the SHA-256 of requirements.txt, the Python's version, its executable."""
UNFINISHED = VENV / "holdfast-unfinished"
"""There while the environment is being changed, so that a crash in between is noticed."""
ENTERED = "HOLDFAST_ENTERED"
EXIT_SETUP_FAILED = 3
EXIT_INTERRUPTED = 130


def run(arguments: list[str]) -> int:
    """Enter the environment, run the command. Gives its exit status, or 3 when the set-up failed."""
    status = enter("pipeline", arguments)
    if status:
        return status
    from pipeline import cli  # noqa: PLC0415 - needs what the set-up installs

    return cli.main(arguments)


def enter(package: str, arguments: list[str]) -> int:
    """Set up what is missing, and become `python -m package` in the environment. Gives 0 where this is that, or fails.

    HOLDFAST_NO_SETUP=1 goes straight to the command: in a container image, everything is installed already.
    """
    if os.environ.get("HOLDFAST_NO_SETUP") == "1":
        return 0
    try:
        _enter(package, arguments)
    except SetupError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return EXIT_SETUP_FAILED
    except KeyboardInterrupt:
        print("set-up: interrupted; start again to go on", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


def _enter(package: str, arguments: list[str]) -> None:
    """Return when this process runs in a finished environment; else finish it, and become a process that does."""
    if os.name != "posix":
        message = "Linux or macOS is needed; on Windows, use the Windows Subsystem for Linux"
        raise SetupError(message)
    entered = os.environ.pop(ENTERED, "")
    finished = is_finished()
    if finished and os.path.realpath(sys.prefix) == os.path.realpath(VENV):
        return
    if entered == str(VENV):
        message = f"{PYTHON} does not run in {VENV}: unset PYTHONHOME, or remove {VENV}, and start again"
        raise SetupError(message)
    if not finished:
        from pipeline import installing  # noqa: PLC0415 - a start with nothing to do need not read it

        installing.install()
    os.environ[ENTERED] = str(VENV)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(PYTHON, [str(PYTHON), "-m", package, *arguments])  # noqa: S606 - no shell is wanted


def is_finished() -> bool:
    """Say whether the environment is whole and made from this requirements.txt."""
    try:
        stamp = STAMP.read_text().splitlines()
    except OSError:
        return False
    whole = len(stamp) == 3 and not UNFINISHED.exists()  # noqa: PLR2004 - what `write_stamp` writes
    return whole and stamp[0] == lock_digest() and stamp[2] == os.path.realpath(PYTHON) and os.access(PYTHON, os.X_OK)


def lock_digest() -> str:
    """Give the SHA-256 of requirements.txt in hexadecimal."""
    return hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest()
