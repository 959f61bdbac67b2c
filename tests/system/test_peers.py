"""This engine and one peer do the same job on a real broker, and are killed in the middle of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from loadtest.peers.main import Result, main
from pipeline.settings import VARIABLES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def test_both_give_the_right_answers_though_they_are_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLES["kafka"], raising=False)
    found, page = tmp_path / "peers.json", tmp_path / "peers.md"
    size = ["--rounds", "0", "--kills", "1", "--kill-orders", "3000"]
    assert main([*size, "--only", "confluent,holdfast", "--json", str(found), "--markdown", str(page)]) == 0
    result = msgspec.json.decode(found.read_bytes(), type=Result)
    assert [(run.kills, str(run.verdict)) for run in result.killed] == [(1, "clean"), (1, "clean")]
    assert page.read_text().count("| clean (1 kills) |") == 2
