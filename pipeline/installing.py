"""The work of the set-up: make `.venv` and install into it what `requirements.txt` locks. Standard library only."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from pipeline.bootstrap import LOCK_FILE, PYTHON, ROOT, STAMP, UNFINISHED, VENV, is_finished, lock_digest
from pipeline.errors import SetupError

if TYPE_CHECKING:
    from typing import IO

RUN_DIR = ROOT / ".run"
LOG = RUN_DIR / "setup.log"
FREE_BYTES_MIN = 2_500_000_000
"""An environment is 1.2 GB; pip unpacks it beside its downloads."""
PROGRESS_SECONDS = 5.0
"""How often a line of progress is printed where the terminal cannot overwrite one."""
LOG_TAIL_LINES = 12
PIP_OPTIONS = ("--require-hashes", "--disable-pip-version-check", "--no-input", "--progress-bar", "off")


class Cause(NamedTuple):
    """A known cause of a failed step: what its output matches, and how to go on."""

    pattern: str
    way_on: str


CAUSES = (
    Cause(r"No space left on device|Errno 28", f"the disk is full: free {FREE_BYTES_MIN / 1e9:.1f} GB"),
    Cause(
        r"DO NOT MATCH THE HASHES",
        "a download is not what requirements.txt pins: a broken download or a mirror that serves something else; "
        "empty pip's cache with `python3 -m pip cache purge`, or use another mirror",
    ),
    Cause(
        r"NewConnectionError|NameResolutionError|name resolution|ConnectTimeout|Read timed out|ProxyError|SSLError"
        r"|Connection refused|Connection reset|Network is unreachable",
        "the package index did not answer: check the network, or name a mirror in PIP_INDEX_URL or a proxy in "
        "HTTPS_PROXY",
    ),
    Cause(
        r"No matching distribution found|Could not find a version",
        "the package index did not answer, or has no build for this system and Python: check the network, name a "
        "complete mirror in PIP_INDEX_URL, and use a 64-bit Linux or macOS with Python 3.11 to 3.13",
    ),
    Cause(r"Permission denied|Errno 13", f"{ROOT} cannot be written: use a checkout of your own"),
)


def install() -> None:
    """Make the environment, or mend it, or bring it up to date; wait while another start does.

    Raises SetupError, which names the step and says how to go on.
    """
    try:
        RUN_DIR.mkdir(parents=True, exist_ok=True)
        with (RUN_DIR / "setup.lock").open("w") as lock:
            _hold(lock)
            if is_finished():
                return
            started = time.monotonic()
            _clear_what_is_broken()
            if not PYTHON.exists():
                _make_environment(lock)
            UNFINISHED.touch()
            _install_packages(lock)
            STAMP.write_text(f"{lock_digest()}\n{sys.version.split()[0]}\n{os.path.realpath(PYTHON)}\n")
            UNFINISHED.unlink()
            _say(f"done in {time.monotonic() - started:.0f} s")
    except OSError as error:
        message = f"{error}; {_way_on(str(error)) or 'mend that'}, and start again"
        raise SetupError(message) from error


def _hold(lock: IO[str]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say("another start is at it; waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)


def _clear_what_is_broken() -> None:
    """Remove an environment that this set-up made and that cannot be used; leave one that somebody else made."""
    ours = STAMP.exists() or UNFINISHED.exists()
    if UNFINISHED.exists():
        _say("an earlier set-up did not finish; beginning anew")
    elif STAMP.exists() and STAMP.read_text().splitlines()[2:] == [os.path.realpath(PYTHON)] and PYTHON.exists():
        return  # whole, but from another requirements.txt
    elif not VENV.exists() or (not ours and _is_usable()):
        return
    if not ours:
        message = f"{VENV} is there, and is no environment of Python 3.11 or newer: move it away, and start again"
        raise SetupError(message)
    shutil.rmtree(VENV)


def _is_usable() -> bool:
    """Say whether an environment that somebody else has made runs, is new enough and has pip."""
    try:
        command = (str(PYTHON), "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))")
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - a fixed program
    except OSError:
        return False


def _make_environment(lock: IO[str]) -> None:
    free = shutil.disk_usage(ROOT).free
    if free < FREE_BYTES_MIN:
        needed = f"{FREE_BYTES_MIN / 1e9:.1f} GB"
        message = f"{ROOT} has {free / 1e9:.1f} GB free, and {needed} are needed: free some, and start again"
        raise SetupError(message)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        message = (
            f"this Python {version} comes without `venv`: install it (Debian, Ubuntu: the package "
            f"python{version}-venv), or use a Python that has it, and start again"
        )
        raise SetupError(message)
    _say(f"making {VENV} with Python {version}")
    VENV.mkdir()
    UNFINISHED.touch()
    # The real executable: the one that runs now may belong to another environment, or to the one just removed.
    _run("making the environment", (os.path.realpath(sys.executable), "-m", "venv", str(VENV)), lock)


def _install_packages(lock: IO[str]) -> None:
    total = len(re.findall(r"^[A-Za-z0-9_.-]+==", LOCK_FILE.read_text(), re.MULTILINE))
    _say(f"installing {total} packages, checked by their hashes (1.2 GB installed; the log is {LOG})")
    command = (str(PYTHON), "-m", "pip", "install", *PIP_OPTIONS, "-r", str(LOCK_FILE))
    _run("installing the packages", command, lock, total)


def _run(step: str, command: tuple[str, ...], lock: IO[str], total: int = 0) -> None:
    """Run one step, its output into the log; print progress where there is a `total` of packages to count.

    The child shares the lock: when this process is killed, the next start waits until the child has ended too.
    """
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with LOG.open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - a fixed program
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=(lock.fileno(),),
        )
        try:
            with process.stdout or log as lines:
                _follow(lines, log, total)
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
    if status:
        output = LOG.read_text(errors="replace")
        tail = "\n".join(f"  {line}" for line in output.splitlines()[-LOG_TAIL_LINES:])
        message = f"{step} failed: {_way_on(output) or f'see {LOG}'}, and start again\n{tail}"
        raise SetupError(message)


def _follow(lines: IO[str], log: IO[str], total: int) -> None:
    """Copy pip's lines into the log, and tell which package it is at."""
    on_terminal = sys.stderr.isatty()
    seen, told = 0, time.monotonic()
    for line in lines:
        log.write(line)
        word, _, rest = line.strip().partition(" ")
        seen += word in {"Collecting", "Requirement"}
        if not total or word not in {"Collecting", "Downloading", "Installing"}:
            continue
        text = f"[{seen}/{total}] {word.lower()} {rest.split(' (from')[0]}"[:100]
        if on_terminal:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        elif word == "Installing" or time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            _say("unpacking" if word == "Installing" else text)
    if on_terminal and total:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _way_on(output: str) -> str:
    return next((cause.way_on for cause in CAUSES if re.search(cause.pattern, output)), "")


def _say(text: str) -> None:
    print(f"set-up: {text}", file=sys.stderr, flush=True)
