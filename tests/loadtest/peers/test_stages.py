"""What came out of the six stages is judged by orders, holds and parcels."""

from __future__ import annotations

from collections import Counter

import pytest

from loadtest.peers.stages import Stages, Step, judge_steps
from loadtest.plan import Plan
from loadtest.scenario import Scenario

ON_HAND = Counter({("pool", "a"): 2})
RIGHT = [
    Step("HoldPlaced", "one", "one", "pool", (("a", 2),)),
    Step("ShipmentTracked", "one", "one-1"),
    Step("HoldRefused", "two", "two"),
]


def test_every_order_decided_once_is_clean() -> None:
    assert judge_steps(2, ON_HAND, RIGHT).clean


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (RIGHT[:2], "1 lost"),
        ([*RIGHT, RIGHT[0]], "1 doubled"),
        ([*RIGHT, RIGHT[1]], "1 doubled"),
        ([*RIGHT, RIGHT[0]._replace(order_id="two", of="two")], "1 oversold"),
    ],
)
def test_each_anomaly_is_found(steps: list[Step], told: str) -> None:
    verdict = judge_steps(2, ON_HAND, steps)
    assert (str(verdict), verdict.clean) == (told, False)


def test_figures_begin_with_the_first_order_and_end_with_the_last_decision() -> None:
    steps = [Step("HoldPlaced", "stock", "stock"), Step("OrderReceived", "one", "one"), *RIGHT]
    window = Stages(Plan(Scenario([], 1.0), [], {}, 2)).window(steps, [1.0, 2.0, 3.0, 4.0, 5.0], 0)
    assert window == (2.0, 5.0, 2)


def test_where_nothing_was_decided_there_are_no_figures() -> None:
    assert Stages(Plan(Scenario([], 1.0), [], {}, 2)).window(RIGHT[:1], [1.0], 0) is None


def test_two_parcels_of_one_order_are_not_doubled() -> None:
    assert judge_steps(2, ON_HAND, [*RIGHT, RIGHT[1]._replace(of="one-2")]).clean
