"""What a run that does not hold leaves behind."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from loadtest.chaos.disk import Disk
from loadtest.chaos.evidence import keep_evidence
from loadtest.chaos.ground import Ground

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    for name in ("run/logs/worker-0.log", "run/services/clickhouse/data/part", "disk/data/order.events-0/0.log"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(name)
    return tmp_path / "run"


@pytest.fixture
def ground(tmp_path: Path, run_dir: Path) -> Ground:  # noqa: ARG001 - it makes the disk's folder
    found = Ground(0, ExitStack())
    found.disk = Disk(tmp_path / "disk")
    return found


def test_logs_and_segments_are_kept_and_no_copies_of_the_log(tmp_path: Path, run_dir: Path, ground: Ground) -> None:
    parent = tmp_path / "evidence"
    (parent / "long-7").mkdir(parents=True)
    (parent / "long-7" / "older").touch()
    assert keep_evidence(parent, "long-7", run_dir, ground).endswith(f"are kept in {parent / 'long-7'}")
    found = sorted(str(each.relative_to(parent)) for each in parent.rglob("*") if each.is_file())
    assert found == ["long-7/broker/order.events-0/0.log", "long-7/run/logs/worker-0.log"]


def test_what_cannot_be_kept_is_said_and_raises_nothing(tmp_path: Path, run_dir: Path, ground: Ground) -> None:
    parent = tmp_path / "evidence"
    parent.write_text("a file where the folder is to be")
    line = keep_evidence(parent, "long-7", run_dir, ground)
    assert "are not all in" in line
    assert "Not a directory" in line or "File exists" in line
