"""What a profile's file may say, and what is told of one that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.profiles.shape import check, find, names, read
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

PHASE = '[[phases]]\nname = "all"\nseconds = 10\nper_second = 20\n'
HEAD = 'says = "x"\n[[phases]]\nname = "a"\n'
WRONG = {
    PHASE: "Object missing required field `says`",
    "phases = 3": "phases: Expected `array`, got `int`",
    f'says = "x"\nsize = 3\n{PHASE}': "Object contains unknown field `size`",
    'says = "x"\nphases = []': "phases: Expected `array` of length >= 1",
    f"{HEAD}seconds = -1\nper_second = 1": "phases[0].seconds: Expected `float` > 0.0",
    f'{HEAD}seconds = 1\nper_second = "1"': "phases[0].per_second: Expected `float`, got `str`",
    f"{HEAD}seconds = 1\nper_second = nan": "phases[0].per_second: Expected `float` >= 0.0",
    f"{HEAD}seconds = inf\nper_second = 1": "phases[0].seconds: Expected `float` <= 86400.0",
    f"{HEAD}seconds = 1\nper_second = 0": "phases: 0.0 orders in all: 1 to",
    f'says = "x"\n{PHASE}warms_up = true': "phases: all of them are warm-ups: nothing is measured",
    f'says = "x"\n{PHASE}{PHASE}warms_up = true': "phases: all is to warm up what all has measured",
    f'says = "x"\n{PHASE}[mix]\ntwice = 1.5': "mix.twice: Expected `float` <= 1.0",
    f'says = "x"\n{PHASE}[mix]\ntwice = 0.7\nlate = 0.7': "mix: the shares sum up to 1.4",
    f'says = "x"\n{PHASE}[mix]\nthrice = 0.1': "mix: Object contains unknown field `thrice`",
    f'says = "x"\n{PHASE}[goods]\nlines = [0.5, 0.3]': "goods.lines: the shares sum up to 0.8 and not to 1",
    f'says = "x"\n{PHASE}[goods]\nzipf_exponent = 1.1': "goods.zipf_exponent: a basket as it is has its own SKUs",
    f'says = "x"\n{PHASE}[[faults]]\nkind = "flood"\nat_seconds = 1': "faults[0].kind: Invalid enum value 'flood'",
    f'says = "x"\n{PHASE}[[faults]]\nkind = "worker-kill"\nat_seconds = 10': "faults[0].at_seconds: 10 is after the",
    f'says = "x"\n{PHASE}'
    + '[[faults]]\nkind = "carrier-outage"\nat_seconds = 1\nseconds = 5\n'
    * 2: "faults: the carrier's outage at 1 s begins",
    f'says = "x"\n{PHASE}[targets]\np99_ms = 0': "targets.p99_ms: Expected `float` > 0.0",
    "says = ": "Invalid value (at end of document)",
}


@pytest.mark.parametrize("name", names())
def test_every_profile_of_ours_can_be_read(name: str) -> None:
    assert read(find(name)).says


def test_the_profiles_that_were_asked_for_are_there() -> None:
    assert {"steady", "x15", "burst", "promotion", "flash", "zipf", "soak"} <= set(names())


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_profile_is_told_with_its_file_its_field_and_why(text: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as told:
        read(file)
    assert str(told.value).startswith(f"{file}: ")
    assert WRONG[text] in str(told.value)


def test_a_profile_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(SettingsError, match="there is no such profile; there are burst, "):
        find("nonsense")


def test_a_smaller_run_has_its_rates_and_times_scaled_and_its_shares_kept() -> None:
    whole = read(find("outage"))
    small = whole.sized(0.1, 12)
    assert small.seconds == pytest.approx(12)
    assert [phase.per_second for phase in small.phases] == [30.0]
    assert [fault.at_seconds for fault in small.faults] == [3.0, 7.0]
    assert small.report_interval_seconds == pytest.approx(1.5)
    assert read(find("burst")).sized(1, 100).pickup_seconds == pytest.approx(60)
    assert (small.mix, small.goods, small.targets) == (whole.mix, whole.goods, whole.targets)


def test_a_ramp_is_scaled_at_both_ends() -> None:
    ramp = read(find("promotion")).sized(0.5, None).phases[1]
    assert (ramp.per_second, ramp.to_per_second, ramp.seconds) == (10, 750, 15)


def test_a_run_may_be_made_too_small() -> None:
    with pytest.raises(SettingsError, match=r"^phases: 0\.\d orders in all"):
        check(read(find("steady")).sized(0.001, 20))
