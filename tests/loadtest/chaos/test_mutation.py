from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from loadtest.chaos.kill_table import PRODUCT, Simulated, Trial, as_markdown, rows_of
from loadtest.chaos.mutants import MUTANTS
from loadtest.chaos.mutation import judge, main
from pipeline.errors import SettingsError
from tests.simulation.mutants import MUTANTS as SIMULATED

if TYPE_CHECKING:
    from pathlib import Path

FAULTS = [{"number": 1}, {"number": 2}]


def outcome(*, broken: tuple[str, ...] = (), invalid: tuple[str, ...] = (), findings: tuple[str, ...] = ()) -> bytes:
    found = [
        {"name": f"check {invariant}", "verdict": verdict, "invariant": invariant, "judged": 1}
        for verdict, invariant in (text.split() for text in findings)
    ]
    return msgspec.json.encode(
        {
            "held": not broken and not invalid,
            "broken": broken,
            "invalid": invalid,
            "verdicts": {"findings": found},
            "course": {"entries": FAULTS, "settled": True},
        }
    )


def test_a_broken_invariant_finds_a_mutant_out() -> None:
    read = outcome(broken=("events unique: 3 of 9",), findings=("held I1", "broken I6", "broken I8", "broken I6"))
    trial = judge("reads-twice", 4, read, "")
    assert (trial.caught, trial.by, trial.faults) == (True, ("I6", "I8"), 2)
    assert trial.why == "events unique: 3 of 9"


def test_a_run_that_does_not_come_to_rest_finds_it_out_by_liveness() -> None:
    assert judge("m", 1, outcome(broken=("the run did not come to rest in time",)), "").by == ("I10",)


def test_a_worker_that_gives_up_finds_it_out_by_liveness() -> None:
    trial = judge("m", 1, b"", "going\nchaos: worker-1 refuses to start\nits log\n")
    assert (trial.caught, trial.by, trial.why) == (True, ("I10",), "chaos: worker-1 refuses to start")


@pytest.mark.parametrize("read", [b"", outcome(invalid=("zombie: 2 planned, none hit",), findings=("invalid I6",))])
def test_what_proves_nothing_finds_nothing_out(read: bytes) -> None:
    trial = judge("m", 1, read, "chaos: no Java")
    assert not trial.caught
    assert not trial.held
    assert trial.why


def test_19_of_20_are_enough_and_18_are_not() -> None:
    for caught, wanted in ((19, True), (18, False)):
        trials = [Trial("reads-twice", seed, seed < caught, ("I6",)) for seed in range(20)]
        (row,) = rows_of(["reads-twice"], trials)
        assert row.is_as_wanted() is wanted
        assert (row.caught, row.by) == (caught, f"I6 x{caught}")


def test_the_product_and_the_harmless_must_hold() -> None:
    for name in (PRODUCT, "carrier-without-query"):
        (held,) = rows_of([name], [Trial(name, 1, caught=False, held=True)])
        (found,) = rows_of([name], [Trial(name, 1, caught=True, by=("I5",))])
        assert (held.is_as_wanted(), found.is_as_wanted()) == (True, False)
    (invalid,) = rows_of([PRODUCT], [Trial(PRODUCT, 1, caught=False, held=False)])
    assert not invalid.is_as_wanted()


def test_the_table_says_what_is_broken_and_by_what_it_shows() -> None:
    rows = rows_of(
        ["hold-ignores-held+unchecked-balances"],
        [Trial("hold-ignores-held+unchecked-balances", 1, caught=True, by=("I2",))],
    )
    text = as_markdown(rows)
    assert "Hold what is on hand, whether or not it is held for somebody else. And: Let a balance" in text
    assert "| 1/1 | I2 x1 | I2 |" in text


def test_the_simulators_column_names_the_same_change() -> None:
    said = {"read_uncommitted": Simulated(200, 31, 2)}
    rows = rows_of(["read-uncommitted", "logs-records"], [], said)
    assert [row.simulator for row in rows] == ["31/200, first by number 2", ""]


def test_the_simulator_knows_what_is_said_to_be_its_own() -> None:
    told = {mutant.simulated for mutant in MUTANTS.values() if mutant.simulated}
    assert told - SIMULATED.keys() == set()


def test_trials_of_a_former_call_are_not_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trials, table = tmp_path / "trials", tmp_path / "table.md"
    trials.write_bytes(msgspec.json.encode(Trial("reads-twice", 1, caught=True, by=("I6",), faults=3)) + b"\n")
    call = ["--targeted", "--without-product", "--mutant", "reads-twice", "--seeds", "1", "--trials", str(trials)]
    assert main([*call, "--markdown", str(table)]) == 0
    assert "| reads-twice | " in table.read_text()
    assert "| 1/1 | I6 x1 | I6 | 3 |" in table.read_text()
    assert "reads-twice" in capsys.readouterr().out


def test_an_unknown_mutant_is_named() -> None:
    with pytest.raises(SettingsError, match="no mutant is called 'nothing'"):
        main(["--mutant", "nothing"])


@pytest.mark.parametrize("option", ["--seeds", "--jobs"])
def test_an_option_that_makes_no_run_is_named(option: str) -> None:
    with pytest.raises(SettingsError, match=f"^{option}: must be at least 1"):
        main([option, "0"])


def test_what_was_stopped_and_is_whole_says_so() -> None:
    stopped = outcome(findings=("held I6",)).replace(b'"settled"', b'"stopped_early":true,"settled"')
    assert (judge("m", 1, stopped, "").caught, judge("m", 1, stopped, "").stopped) == (False, True)
