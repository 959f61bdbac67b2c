"""What the express lane gains, measured on the stage as it is; a lane with something broken in it is found out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from loadtest.express import Report, load, main, measure
from pipeline.domain.routing import deciding, floor
from pipeline.domain.shipping_events import RouteRepeated
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.domain.routing.values import FloorPart

SMALL = ["--orders", "200", "--wave", "10", "--share", "0.2"]


def by_age(name: str, part: FloorPart) -> tuple[int, str]:
    return part.at, name


def by_city(name: str, part: FloorPart) -> tuple[bool, int, int, str]:
    return not part.same_city, -part.priority, part.at, name


def upside_down(name: str, part: FloorPart) -> tuple[int, int, str]:
    return part.priority, part.at, name


def deaf(_: object, command: Any, standing: str) -> list[RouteRepeated]:  # noqa: ANN401  any command
    order_id, at = command.order_id, command.at
    return [RouteRepeated(order_id=order_id, at=at, from_state=standing, to_state=standing, kind="expedite")]


def test_who_is_expedited_is_in_the_next_wave_and_the_others_pay_for_it() -> None:
    found = measure(load(400, 0.05, (10, 60), 7))
    first, later, ordinary = found.groups
    assert (found.behind, found.never_picked) == (0, 0)
    assert first.expediting.orders == 10
    assert first.expediting.orders + later.expediting.orders + ordinary.expediting.orders == 400
    assert later.expediting.orders + found.too_late == 10
    assert first.expediting.p99_waves == 0
    assert first.expediting.p99_minutes <= 60 < first.nobody.p50_minutes
    assert found.asked_p99_minutes <= 60
    assert later.expediting.p50_minutes < later.nobody.p50_minutes
    assert ordinary.expediting.p50_minutes > ordinary.nobody.p50_minutes


def test_with_nobody_expedited_both_runs_are_the_same() -> None:
    found = measure(load(200, 0, (10, 60), 7))
    ordinary = found.groups[-1]
    assert ordinary.expediting == ordinary.nobody
    assert (ordinary.expediting.orders, ordinary.nobody.orders) == (200, 200)


def test_the_result_is_written_and_a_seed_gives_it_again(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a", "b", "c")]
    for file, seed in zip(files, ("1", "1", "2"), strict=True):
        assert main([*SMALL, "--seed", seed, "--json", str(file)]) == 0
    first, again, other = [msgspec.json.decode(file.read_bytes(), type=Report) for file in files]
    assert first == again != other


@pytest.mark.parametrize("turn", [by_age, by_city, upside_down])
def test_a_lane_in_another_order_is_found_out(monkeypatch: pytest.MonkeyPatch, turn: Callable[..., Any]) -> None:
    monkeypatch.setattr(floor, "_turn", turn)
    assert main(SMALL) == 1


def test_a_command_to_expedite_that_is_not_heard_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "expedited", deaf)
    assert main(SMALL) == 1


def test_a_floor_that_forgets_an_order_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = floor._waits  # noqa: SLF001  what is broken for once
    monkeypatch.setattr(floor, "_waits", lambda state, name: not name.startswith("0") and waits(state, name))
    assert main([*SMALL, "--share", "0"]) == 1


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--orders", "0", "--orders: must be at least 1 (it is 0)"),
        ("--wave", "0", "--wave: must be at least 1 (it is 0)"),
        ("--wave", "10001", "--wave: must be at most 10000 (it is 10001)"),
        ("--minutes", "59", "--minutes: must be at least 60 (it is 59)"),
        ("--minutes", "61", "--minutes: 61 does not divide a day of 1440"),
        ("--json", "/no/such/folder/x", "--json: /no/such/folder/x is in no folder that there is"),
    ],
)
def test_a_bad_number_is_refused_by_its_name(option: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        main([option, value])
    assert str(caught.value) == said
