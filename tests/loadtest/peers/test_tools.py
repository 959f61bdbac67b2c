"""What the peers need is made on demand; what cannot be had here is named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loadtest.peers.tools import LOCK_FILE, ensure

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_without_maven_kafka_streams_is_named_with_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Maven" in ensure({"java"}, tmp_path / "peers")["java"]


def test_what_nobody_needs_is_not_made(tmp_path: Path) -> None:
    assert ensure(set(), tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def test_every_package_of_the_peers_is_pinned_and_hashed() -> None:
    pinned = re.split(r"\n(?=\S)", LOCK_FILE.read_text().strip())
    assert len(pinned) > 20
    assert [one.split()[0] for one in pinned if "==" not in one.split()[0] or "--hash=sha256:" not in one] == []
