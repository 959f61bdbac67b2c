"""What a run counted is summed up, and what it did not prove is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from loadtest.chaos.ledger import Entry, Ledger
from loadtest.chaos.outcome import kind_lines
from loadtest.chaos.report import as_markdown, main, reached, read_runs
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def entry(kind: str, *, hit: bool, **counts: float) -> Entry:
    return Entry(
        number=1,
        kind=kind,
        target="worker-1",
        at_ms=1,
        healed_ms=2,
        hit=hit,
        evidence="measured",
        counts=counts,
        params={},
    )


def outcome(seed: int, *, held: bool = True, lost: int = 0) -> dict[str, Any]:
    return {
        "held": held,
        "broken": [] if held else ["event ids unique: 1 of 9: x"],
        "invalid": [],
        "setup": {
            "date": f"2026-01-0{seed}T00:00:00+00:00",
            "commit": "abc",
            "versions": {"python": "3.11"},
            "profile": "long",
            "seed": seed,
            "mutant": "",
            "orders": 1000,
        },
        "kinds": [
            {"kind": "broker-kill", "planned": 3, "hit": 2, "counts": {}},
            {"kind": "carrier-lost", "planned": 1, "hit": 1, "counts": {"calls": lost}},
        ],
        "verdicts": {"invariants": [{"invariant": "I6", "claim": "once", "verdict": "held", "judged": 9}]},
        "seconds": 12.0,
        "course": {"entries": [{"hit": True, "attempts": 2}, {"hit": False, "attempts": 3}, {"hit": True}]},
    }


def write(folder: Path, *outcomes: dict[str, Any]) -> None:
    for number, one in enumerate(outcomes):
        (folder / f"{number}.json").write_bytes(msgspec.json.encode(one))


def test_a_kind_without_a_hit_is_not_valid() -> None:
    lines = {line.kind: line for line in kind_lines({"pause": 2, "zombie": 1}, [entry("pause", hit=False)])}
    assert (lines["pause"].done, lines["pause"].hit, lines["pause"].valid) == (1, 0, False)
    assert not lines["zombie"].valid


def test_what_faults_counted_is_summed_up_by_kind() -> None:
    entries = [entry("carrier-lost", hit=True, calls=3), entry("carrier-lost", hit=True, calls=4)]
    (line,) = kind_lines({"carrier-lost": 2}, entries)
    assert (line.hit, line.counts) == (2, {"calls": 7})


def test_a_fault_is_in_the_ledger_as_soon_as_it_is_over(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.add(entry("pause", hit=True))
    (line,) = (tmp_path / "faults.jsonl").read_bytes().splitlines()
    assert msgspec.json.decode(line, type=Entry) == entry("pause", hit=True)
    ledger.close()


def test_runs_add_up_to_what_the_goals_name(tmp_path: Path) -> None:
    write(tmp_path, outcome(2, lost=5), outcome(1, lost=7), outcome(3, held=False, lost=9))
    runs = read_runs([tmp_path])
    assert [run.setup.seed for run in runs] == [1, 2, 3]
    found = reached(runs)
    assert (found["orders"], found["broker kills"], found["lost carrier answers"]) == (3000, 6, 21)
    assert found["faults that hit"] == 9
    assert "| lost carrier answers | 21 | 12 | 2,000 |" in as_markdown(runs)


def test_the_report_names_what_did_not_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, outcome(1), outcome(2, held=False))
    assert main([str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert text == as_markdown(read_runs([tmp_path]))
    assert "**1 of 2 held**" in text
    assert ": 2 of those that hit did so at a later attempt." in text
    assert "- seed 2, broken: event ids unique" in text


def test_a_file_that_is_no_outcome_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(SettingsError, match=r"bad\.json"):
        read_runs([tmp_path])
