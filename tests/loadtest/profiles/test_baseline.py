"""A result beside an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from loadtest.profiles.baseline import check_same_load, compare
from loadtest.profiles.result import Backlog, read_result, write_result
from pipeline.errors import SettingsError
from tests.loadtest.profiles.results import RESULT, SETUP, spell, use

if TYPE_CHECKING:
    from pathlib import Path

    from loadtest.profiles.result import Result

NEVER = [Backlog(after="phase burst", orders=50, gone_seconds=None), RESULT.backlogs[1]]


def worse(now: Result, then: Result, tolerance: float | None = None) -> set[str]:
    return {row.name for row in compare(now, then, tolerance) if row.is_worse}


def test_the_same_result_is_not_worse_and_every_ratio_is_one() -> None:
    rows = compare(RESULT, RESULT, None)
    assert {row.ratio for row in rows} == {1.0, None}
    assert [row.name for row in rows if row.ratio is None] == ["backlog after the load gone"]
    assert not any(row.is_worse for row in rows)


def test_what_grew_past_its_tolerance_is_worse_and_named() -> None:
    now = replace(RESULT, last=spell("last stage", 0.4), processes=[use("kafka"), use("worker-0", cpu=700)])
    assert worse(now, RESULT) == {"p99 to the last stage", "max to the last stage", "CPU of worker-0"}
    assert worse(RESULT, now) == set()


def test_a_tolerance_that_is_given_counts_for_all_figures() -> None:
    now = replace(RESULT, last=spell("last stage", 0.4), processes=[use("kafka"), use("worker-0", cpu=700)])
    assert worse(now, RESULT, tolerance=1.5) == set()
    assert worse(replace(RESULT, held=spell("hold", 0.25)), RESULT, tolerance=0.1) == {
        "p99 to the hold",
        "max to the hold",
    }


def test_a_difference_that_is_too_small_to_matter_is_none() -> None:
    fast, slower = replace(RESULT, held=spell("hold", 0.002)), replace(RESULT, held=spell("hold", 0.009))
    assert worse(slower, fast) == set()


def test_a_backlog_that_was_gone_once_and_never_is_now_is_worse() -> None:
    assert worse(replace(RESULT, backlogs=NEVER), RESULT) == {"backlog after phase burst gone"}
    assert worse(RESULT, replace(RESULT, backlogs=NEVER)) == set()


@pytest.mark.parametrize(("field", "value"), [("profile", "steady"), ("scale", 0.5), ("workers", 3), ("replay", "x")])
def test_another_load_is_not_compared(field: str, value: object) -> None:
    other = replace(RESULT, setup=replace(RESULT.setup, **{field: value}))
    with pytest.raises(SettingsError, match=rf"^--baseline: it is of another load: setup\.{field} is "):
        check_same_load(SETUP, other)


def test_a_void_baseline_is_not_compared() -> None:
    with pytest.raises(SettingsError, match=r"^--baseline: it is void: late"):
        check_same_load(SETUP, replace(RESULT, void="late"))


def test_the_same_load_may_be_compared() -> None:
    check_same_load(SETUP, RESULT)


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_result(RESULT, tmp_path / "result.json")
    assert read_result(tmp_path / "result.json") == RESULT


def test_a_file_that_is_no_result_is_told_with_its_name_and_why(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    for text, why in (("{}", "Object missing required field"), ("{", "Input data was truncated")):
        path.write_text(text)
        with pytest.raises(SettingsError, match=f"^{path}: {why}"):
            read_result(path)
    write_result(replace(RESULT, format=0), path)
    with pytest.raises(SettingsError, match=f"^{path}: format: 0; this version reads 1"):
        read_result(path)
