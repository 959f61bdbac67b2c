"""`python -m pipeline rules`: what needs no server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.cli import main
from pipeline.rules.main import FILE_BYTES_MAX
from pipeline.settings import ROOT
from tests.domain.books import ask

if TYPE_CHECKING:
    from pathlib import Path


def test_the_shipped_examples_pass_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "check", str(ROOT / "pipeline" / "rules" / "examples.json")]) == 0
    assert "6 rules, 6 of them switched on" in capsys.readouterr().out


def test_a_file_that_makes_no_sense_is_refused_with_its_rule_and_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.json"
    rule = {"id": "mine", "action": "hold", "reason": "DOUBT", "when": {"all": [ask("colour", "eq", "red")]}}
    path.write_text(json.dumps({"rules": [rule]}))
    assert main(["rules", "check", str(path)]) == 2
    assert f"rules: {path}: rule mine: when.all[0].field: 'colour' is no field" in capsys.readouterr().err


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "check", str(tmp_path / "none.json")]) == 2
    assert "none.json: No such file" in capsys.readouterr().err
    large = tmp_path / "large.json"
    large.write_text(" " * (FILE_BYTES_MAX + 1))
    assert main(["rules", "check", str(large)]) == 2
    assert "are allowed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("try {} --last 0", "--last: from 1 to "),
        ("try {} --last ten", "--last: ten is no whole number"),
        ("switch r off --author ann --at -5", "--at: from 0 to "),
        ("activate {} --author ann --at 99999999999999999", "(it is 99999999999999999)"),
    ],
)
def test_a_number_that_is_none_is_refused_before_any_server_is_asked(
    capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["rules", *text.format("book.json").split()])
    assert refused.value.code == 2
    assert says in capsys.readouterr().err


def test_a_change_without_an_author_is_no_call(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["rules", "rollback", "1"])
    assert "--author" in capsys.readouterr().err
