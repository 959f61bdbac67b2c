"""The main job, small: real orders, a worker killed half-way, every check holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


def test_a_small_demo_holds_with_a_worker_killed(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    servers = ("KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL", "CLICKHOUSE_URL")
    environ = {name: value for name, value in os.environ.items() if name not in servers}
    environ["PYTHONPATH"] = str(ROOT)
    options = ["--orders", "1000", "--rate", "500", "--workers", "2", "--json", str(result)]
    done = subprocess.run(
        [sys.executable, "-m", "loadtest", "demo", *options],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout[-8000:] + done.stderr[-2000:]
    assert done.returncode == 0, said
    told = json.loads(result.read_text())
    assert told["held"], said
    assert told["replay"]["kill"]["back_after_seconds"] > 0
    assert sum(told["outcomes"].values()) >= 1000
    assert {finding["verdict"] for finding in told["findings"]} == {"held"}
    assert [node["node"] for node in told["funnel"]] == ["ordered", "paid", "routed", "outbound", "signed"]
    assert told["funnel"][4]["orders"] == told["outcomes"]["signed"]
