"""The set-up, run from a copy of the package with a requirements.txt of one small wheel: no network is needed."""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.bootstrap import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SETUP_FAILED = 3
DEADLINE_SECONDS = 60.0


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a checkout whose only dependency is a wheel in a folder beside it."""
    pattern = shutil.ignore_patterns("__pycache__", "services", "engine", "domain", "carriers", "connectors")
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=pattern)
    wheel = tmp_path / "wheels" / "small-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("small.py", "VALUE = 1\n")
        archive.writestr("small-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1.0\n")
        archive.writestr("small-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("small-1.0.dist-info/RECORD", "small.py,,\n")
    _lock(tmp_path, hashlib.sha256(wheel.read_bytes()).hexdigest())
    return tmp_path


def test_the_first_start_makes_the_environment_and_the_second_leaves_it(checkout: Path) -> None:
    first = _start(checkout)
    assert (first.returncode, "usage: python -m pipeline" in first.stdout) == (0, True)
    assert "installing 1 packages" in first.stderr
    assert (checkout / ".venv" / "holdfast-stamp").exists()
    second = _start(checkout)
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")


def test_the_load_test_enters_the_same_environment(checkout: Path) -> None:
    (checkout / "loadtest").mkdir()
    shutil.copy(ROOT / "loadtest" / "__main__.py", checkout / "loadtest")
    command = (os.path.realpath(sys.executable), "-m", "loadtest")
    done = subprocess.run(command, **_options(checkout), timeout=DEADLINE_SECONDS, check=False)
    assert (done.returncode, "installing 1 packages" in done.stderr) == (2, True)
    assert "usage: python -m loadtest COMMAND" in done.stderr


def test_two_starts_at_once_end_in_one_environment(checkout: Path) -> None:
    starts = [subprocess.Popen(_command(), **_options(checkout)) for _ in range(2)]
    ends = [(start.communicate(timeout=DEADLINE_SECONDS), start.returncode) for start in starts]
    assert [status for _, status in ends] == [0, 0]
    assert sum("making" in errors for (_, errors), _ in ends) == 1


def test_a_set_up_that_was_cut_short_is_begun_anew(checkout: Path) -> None:
    _start(checkout)
    (checkout / ".venv" / "holdfast-unfinished").touch()
    (checkout / ".venv" / "left").touch()
    again = _start(checkout)
    assert (again.returncode, "an earlier set-up did not finish" in again.stderr) == (0, True)
    assert not (checkout / ".venv" / "left").exists()


def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Path) -> None:
    _start(checkout)
    python = checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert _start(checkout).returncode == 0


def test_a_changed_lock_is_installed_into_the_environment(checkout: Path) -> None:
    _start(checkout)
    lock = checkout / "pipeline" / "requirements.txt"
    lock.write_text(lock.read_text() + "# changed\n")
    again = _start(checkout)
    assert (again.returncode, "installing" in again.stderr, "making" in again.stderr) == (0, True, False)


def test_somebody_elses_folder_is_left_alone(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "theirs").touch()
    start = _start(checkout)
    assert (start.returncode, "move it away" in start.stderr) == (SETUP_FAILED, True)
    assert (checkout / ".venv" / "theirs").exists()


def test_another_hash_stops_the_set_up_with_what_to_do(checkout: Path) -> None:
    _lock(checkout, "0" * 64)
    start = _start(checkout)
    assert start.returncode == SETUP_FAILED
    assert "installing the packages failed: a download is not what requirements.txt pins" in start.stderr


def test_an_index_without_the_package_stops_the_set_up_with_what_to_do(checkout: Path) -> None:
    shutil.rmtree(checkout / "wheels")
    start = _start(checkout)
    assert (start.returncode, "check the network" in start.stderr) == (SETUP_FAILED, True)


def test_no_set_up_is_done_where_the_environment_says_so(checkout: Path) -> None:
    start = _start(checkout, HOLDFAST_NO_SETUP="1")
    assert (start.returncode, start.stderr) == (0, "")
    assert not (checkout / ".venv").exists()


def test_an_old_python_gets_one_line() -> None:
    program = (
        "import runpy, sys; sys.version_info = (3, 10, 13, 'final', 0)\n"
        "runpy.run_path('pipeline/__main__.py', run_name='x')"
    )
    start = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (start.returncode, start.stdout) == (SETUP_FAILED, "")
    assert start.stderr == "Holdfast needs Python 3.11 or newer, and this is Python 3.10\n"


@pytest.mark.parametrize("page", ["__init__.py", "__main__.py"])
def test_what_an_old_python_reads_first_it_can_parse(page: str) -> None:
    tree = ast.parse((ROOT / "pipeline" / page).read_text(encoding="ascii"), feature_version=(3, 4))
    new = (ast.JoinedStr, ast.AnnAssign, ast.FunctionDef, ast.ImportFrom)
    assert [node for node in tree.body if isinstance(node, new)] == []


def _lock(checkout: Path, sha256: str) -> None:
    (checkout / "pipeline" / "requirements.txt").write_text(f"small==1.0 \\\n    --hash=sha256:{sha256}\n")


def _start(checkout: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    process = subprocess.Popen(_command(), **_options(checkout, **environ))
    output, errors = process.communicate(timeout=DEADLINE_SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def _command() -> tuple[str, ...]:
    # Not this environment's own Python: a user starts with the system's.
    return (os.path.realpath(sys.executable), "-m", "pipeline")


def _options(checkout: Path, **environ: str) -> dict[str, Any]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "HOLDFAST_"))}
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(checkout / "wheels"), "PIP_CONFIG_FILE": os.devnull}
    return {
        "cwd": checkout,
        "env": {**kept, **index, **environ},
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }
