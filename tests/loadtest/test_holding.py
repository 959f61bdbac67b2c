"""What a hold costs: measured on the stage as it is, with bad numbers refused by name."""

from __future__ import annotations

import pytest

from loadtest.holding import main, measure
from pipeline.errors import SettingsError


def test_every_hold_is_placed_and_has_its_cost() -> None:
    many, one = measure(200, 1_000, 7), measure(1, 1_000, 7)
    assert (many.holds, many.is_hot, one.is_hot) == (1_000, False, True)
    assert min(many.microseconds, one.microseconds, one.first_microseconds, one.last_microseconds) > 0


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--skus", "1000,x", "--skus: '1000,x' is no list of whole numbers, separated by commas"),
        ("--skus", "0", "--skus: must be at least 1 (it is 0)"),
        ("--holds", "10", "--holds: must be at least 5000 (it is 10)"),
        ("--hot", "0", "--hot: must be at least 5000 (it is 0)"),
        ("--json", "/no/such/folder/x", "--json: /no/such/folder/x is in no folder that there is"),
    ],
)
def test_a_bad_number_is_refused_by_its_name(option: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        main([option, value])
    assert str(caught.value) == said
