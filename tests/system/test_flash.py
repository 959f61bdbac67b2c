"""A flash sale on real servers, small: sold out and not, with the worker killed that decides it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ("KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL", "CLICKHOUSE_URL")

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


def flash(*options: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m loadtest flash` on servers of its own."""
    environ = {name: value for name, value in os.environ.items() if name not in SERVERS} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "loadtest", "flash", *options]
    return subprocess.run(
        command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("buyers", "units", "accepted"), [(900, 300, 300), (300, 400, 300)])
def test_exactly_as_many_are_accepted_as_there_are_units_or_buyers(
    tmp_path: Path, buyers: int, units: int, accepted: int
) -> None:
    result = tmp_path / "result.json"
    done = flash("--buyers", str(buyers), "--units", str(units), "--rate", "300", "--json", str(result))
    said = done.stdout[-8000:] + done.stderr[-2000:]
    assert done.returncode == 0, said
    told = json.loads(result.read_text())
    assert (told["accepted"], told["refused"], told["returned"]) == (accepted, buyers - accepted, units - accepted)
    assert told["way"]["kill"]["back_after_seconds"] > 0
    assert {finding["verdict"] for finding in told["findings"]} == {"held"}


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--buyers", "0", "--buyers: must be at least 1 (it is 0)"),
        ("--units", "-1", "--units: must be at least 1 (it is -1)"),
        ("--workers", "0", "--workers: must be at least 1 (it is 0)"),
        ("--again-share", "2", "--again-share: 2 is not between 0 and 1"),
        ("--rate", "nan", "--rate: nan is not between 0 and"),
        ("--json", "/no/such/folder/x.json", "--json: /no/such/folder/x.json is in no folder that there is"),
    ],
)
def test_a_bad_option_is_named_before_anything_starts(option: str, value: str, said: str) -> None:
    done = flash(option, value)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
