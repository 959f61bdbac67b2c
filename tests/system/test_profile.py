"""A load by profile on real servers: sent, judged, reported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

SERVERS = ("KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL", "CLICKHOUSE_URL")
MIX = """
says = "every way that an order can take"
report_interval_seconds = 0.3
[[phases]]
name = "calm"
seconds = 4
per_second = 10
[[phases]]
name = "rush"
seconds = 4
per_second = 10
to_per_second = 50
[[faults]]
kind = "worker-kill"
at_seconds = 3
[goods]
lines = [0.5, 0.5]
hot_share = 0.3
hot_stock_share = 0.5
[mix]
unpaid = 0.1
twice = 0.1
out_of_order = 0.1
cancelled = 0.1
address = 0.1
late = 0.1
suspected = 0.1
"""


def profile(*arguments: str) -> tuple[int, str]:
    """Run a profile on servers of its own. Gives the exit status, and what it said."""
    environ = {name: value for name, value in os.environ.items() if name not in SERVERS}
    done = subprocess.run(
        [sys.executable, "-m", "loadtest", "profile", *arguments],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout[-12000:] + done.stderr[-2000:]


def test_a_small_load_of_every_kind_holds_and_is_reported(tmp_path: Path) -> None:
    name, json_file, page = tmp_path / "mix.toml", tmp_path / "result.json", tmp_path / "page.html"
    name.write_text(MIX)
    # How late the generator is on a machine that tests run on is not the matter here.
    status, said = profile(str(name), "--late-p99-ms", "60000", "--json", str(json_file), "--html", str(page))
    assert status == 0, said
    told: dict[str, Any] = json.loads(json_file.read_text())
    assert (told["void"], told["settled"], told["drained"], told["undecided"]) == ("", True, True, 0)
    assert told["accepted_records"] == told["sent"]["records"] > told["orders"]
    assert {finding["verdict"] for finding in told["findings"]} == {"held"}
    assert {"signed", "refused", "cancelled", "in_review"} <= set(told["outcomes"])
    assert told["faults"][0]["kill"]["back_after_seconds"] > 0
    assert [phase["name"] for phase in told["phases"]] == ["calm", "rush"]
    assert min(phase["p50_seconds"] for phase in told["phases"]) > 0
    used = {use["process"]: use["cpu_seconds"] for use in told["processes"]}
    assert {"worker-0", "worker-1", "sink", "kafka", "clickhouse", "redis", "generator"} <= set(used)
    assert min(used["worker-1"], used["kafka"], used["sink"]) > 0
    assert "All is well" in page.read_text()
