"""What a command is given wrongly is told in one line, with its option, before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest import __main__ as loadtest
from loadtest.options import at_least, writable
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
    "peers --only nonsense": "peers: --only: no peer is called 'nonsense'",
    "peers --orders 0": "peers: --orders: must be at least 1 (it is 0)",
    "peers --rounds=-1": "peers: --rounds: must be at least 0 (it is -1)",
    "peers --rounds 0 --kills 0": "peers: --rounds and --kills: there is nothing to do",
    "peers --markdown /nowhere/at/all.md": "peers: --markdown: /nowhere/at/all.md is in no folder",
    "chaos-report /nowhere.json": "chaos-report: /nowhere.json: ",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_option_is_one_line_and_status_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert loadtest.main(line.split()) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(WRONG[line])
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
