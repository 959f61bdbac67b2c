"""What a command is given wrongly is told in one line, with its option, before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest import __main__ as loadtest
from loadtest.options import at_least, writable
from loadtest.profiles.shape import FOLDER
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

WRONG = {
    "chaos --only nonsense": "chaos: --only: no kind of fault begins with 'nonsense'",
    "chaos --faults 0": "chaos: --faults: must be at least 1 (it is 0)",
    "chaos --faults=-3": "chaos: --faults: must be at least 1 (it is -3)",
    "chaos --orders 0": "chaos: --orders: must be at least 1 (it is 0)",
    "chaos --mutant nonsense": "chaos: no mutant is called 'nonsense'",
    "chaos --json /nowhere/at/all.json": "chaos: --json: /nowhere/at/all.json is in no folder",
    "control --records 0": "control: --records: must be at least 1 (it is 0)",
    "control --kills=-1": "control: --kills: must be at least 0 (it is -1)",
    "recovery --rounds 0": "recovery: --rounds: must be at least 1 (it is 0)",
    "recovery --kills=-1": "recovery: --kills: must be at least 0 (it is -1)",
    "mutants --seeds 0": "mutants: --seeds: must be at least 1 (it is 0)",
    "peers --only nonsense": "peers: --only: no peer is called 'nonsense'",
    "peers --orders 0": "peers: --orders: must be at least 1 (it is 0)",
    "peers --rounds=-1": "peers: --rounds: must be at least 0 (it is -1)",
    "peers --rounds 0 --kills 0": "peers: --rounds and --kills: there is nothing to do",
    "peers --markdown /nowhere/at/all.md": "peers: --markdown: /nowhere/at/all.md is in no folder",
    "profile nonsense": "profile: nonsense: there is no such profile; there are burst, ",
    "profile steady --workers 0": "profile: --workers: must be at least 1 (it is 0)",
    "profile steady --scale 0.0001": "profile: PROFILES/steady.toml, with --scale and --seconds: phases: 0.6 orders in",
    "profile steady --speed 2": "profile: --speed: it is of a recording",
    "profile steady --replay x --scale 2": "profile: --replay: a recording has its own size",
    "profile steady --replay /nowhere": "profile: /nowhere: No such file",
    "profile steady --tolerance 1": "profile: --tolerance: there is nothing to compare with",
    "profile steady --seconds 1 --baseline /nowhere.json": "profile: /nowhere.json: No such file",
    "profile steady --html /nowhere/a.html": "profile: --html: /nowhere/a.html is in no folder",
    "record /nowhere/orders": "record: FILE: /nowhere/orders is a folder, or is in no folder",
    "chaos-report /nowhere.json": "chaos-report: /nowhere.json: ",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_option_is_one_line_and_status_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert loadtest.main(line.split()) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(WRONG[line].replace("PROFILES", str(FOLDER)))
    assert told.err.count("\n") == 1


def test_what_is_not_given_is_right() -> None:
    at_least(1, faults=None, orders=1)
    writable(json=None)


def test_an_option_of_two_words_is_named_as_it_is_written() -> None:
    with pytest.raises(SettingsError, match=r"^--from-seed: must be at least 0 \(it is -1\)$"):
        at_least(0, from_seed=-1)


def test_a_folder_is_no_file_to_write(tmp_path: Path) -> None:
    writable(json=tmp_path / "new.json")
    with pytest.raises(SettingsError, match="is a folder"):
        writable(json=tmp_path)
