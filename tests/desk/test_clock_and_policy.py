from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.desk import clock, policy
from pipeline.domain.order_policy import DEFAULT
from pipeline.errors import HoldfastError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("text", ["--at 5", "--once --at -1", "--once --at 99999999999999", "--once --at noon", "x"])
def test_a_clock_that_is_set_wrong_does_not_tick(text: str) -> None:
    with pytest.raises(SystemExit) as refused:
        clock.main(text.split())
    assert refused.value.code == 2


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"version": "2", "unpaid_warn_ms": 60000, "refund_b": {"vip_minor": 1}}')
    found = policy.read_policy(path)
    assert (found.version, found.unpaid_warn_ms, found.refund_b.vip_minor) == ("2", 60_000, 1)
    assert (found.refund_b.vip_level, found.review_warn_ms) == (DEFAULT.refund_b.vip_level, DEFAULT.review_warn_ms)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "truncated"),
        ("[]", "Expected `object`"),
        ("{}", "`version`"),
        ('{"version": ""}', "version: Expected `str` of length >= 1"),
        ('{"version": "2", "unpaid_warn_ms": 0}', "unpaid_warn_ms: Expected `int` >= 1"),
        ('{"version": "2", "silent_alarm_ms": 0}', "silent_alarm_ms: Expected `int` >= 1"),
        ('{"version": "2", "locked_alarm_ms": 14400001}', "outbound_alarm_ms: 14400000 is less than locked_alarm_ms"),
        ('{"version": "2", "outbound_alarm_ms": 7000000}', "outbound_alarm_ms: 7000000 is less than locked_alarm_ms"),
        ('{"version": "2", "unpaid_warn": 5}', "unpaid_warn: there is no such limit"),
        ('{"version": "2", "refund_a": {"vip": 5}}', "refund_a.vip: there is no such limit"),
        ('{"version": "2", "refund_a": 7}', "refund_a: Expected `array`"),
        ('{"version": "2", "refund_b_percent": 101}', "refund_b_percent: Expected `int` <= 100"),
    ],
)
def test_a_file_of_limits_that_is_wrong_is_named_with_its_field(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(HoldfastError) as refused:
        policy.read_policy(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert says in str(refused.value)


def test_to_set_limits_wants_a_file_and_who_sets_them(tmp_path: Path) -> None:
    for arguments in (["set"], ["wave"]):
        with pytest.raises(SystemExit):
            policy.main(arguments)
    with pytest.raises(HoldfastError, match="No such file"):
        policy.main(["set", str(tmp_path / "p.json"), "--author", "ann"])
