from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.carriers.sandbox_behaviour import Behaviour, Fault, draw

ORDERS = [f"o-{number}" for number in range(20_000)]


def test_shares_are_kept() -> None:
    behaviour = Behaviour(seed=7, lost_share=0.1, error_share=0.2, slow_share=0.3, refuse_share=0.05)
    counts = Counter(behaviour.fault(order, 1) for order in ORDERS)
    shares = {fault: counts[fault] / len(ORDERS) for fault in Fault}
    expected = {Fault.LOST: 0.1, Fault.BROKEN: 0.1, Fault.DISCARDED: 0.1, Fault.SLOW: 0.3, Fault.NONE: 0.4}
    assert shares == pytest.approx(expected, abs=0.02)
    assert sum(map(behaviour.refuses, ORDERS)) / len(ORDERS) == pytest.approx(0.05, abs=0.01)


@given(st.integers(0, 2**32), st.text(), st.text(), st.text())
def test_a_draw_depends_on_its_names_alone(seed: int, what: str, name: str, other: str) -> None:
    assert 0 <= draw(seed, what, name) < 1
    assert draw(seed, what, name) == draw(seed, what, name)
    assert (draw(seed, what, name) == draw(seed, what, other)) == (name == other)


def test_another_seed_hits_other_orders() -> None:
    lost = [
        {order for order in ORDERS if Behaviour(seed=seed, lost_share=0.1).fault(order, 1) is Fault.LOST}
        for seed in (1, 2)
    ]
    assert lost[0] != lost[1]


def test_an_orders_next_call_is_drawn_anew() -> None:
    behaviour = Behaviour(lost_share=0.5)
    lost = [order for order in ORDERS if behaviour.fault(order, 1) is Fault.LOST]
    assert sum(behaviour.fault(order, 2) is Fault.LOST for order in lost) / len(lost) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"lost_share": 1.1}, "lost_share"),
        ({"error_share": -0.1}, "error_share"),
        ({"lost_share": 0.6, "error_share": 0.6}, r"slow_share \+ error_share \+ lost_share"),
        ({"lots_share": 0.1}, "lots_share"),
        ({"seed": "one"}, "seed"),
    ],
)
def test_a_setting_that_cannot_be_is_named(change: dict[str, object], named: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=named):
        msgspec.convert(change, Behaviour)
