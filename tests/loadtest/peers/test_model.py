"""The check of the peers' answers finds each kind of anomaly, and nothing in a run without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from loadtest.peers.job import Job, make_records
from loadtest.peers.model import Answer, Expected, expect, judge, read_answer
from loadtest.peers.programs.rule import answer

if TYPE_CHECKING:
    from collections.abc import Callable

POOL = "pool-0"


def received(**units: int) -> bytes:
    command = {"command": "ReceiveStock", "at": 1, "pool": POOL, "units": list(units.items())}
    return msgspec.json.encode(command)


def asked(order_id: str, **units: int) -> bytes:
    command = {"command": "PlaceHold", "at": 2, "pool": POOL, "order_id": order_id, "units": list(units.items())}
    return msgspec.json.encode(command)


INPUT = [received(a=3, b=1), asked("one", a=2), asked("two", a=1, b=1), asked("three", b=1), asked("one", a=2)]
RIGHT = [
    Answer("one", "HoldPlaced", (("a", 2),)),
    Answer("two", "HoldPlaced", (("a", 1), ("b", 1))),
    Answer("three", "HoldRefused"),
    Answer("one", "HoldRepeated"),
]


@pytest.fixture
def expected() -> Expected:
    return expect(INPUT)


def test_what_the_input_gives_is_clean(expected: Expected) -> None:
    verdict = judge(expected, RIGHT)
    assert (verdict.clean, str(verdict), verdict.examples) == (True, "clean", [])


def test_the_order_in_which_partitions_are_read_does_not_matter(expected: Expected) -> None:
    assert judge(expected, reversed(RIGHT)).clean


ANOMALIES: dict[str, tuple[Callable[[list[Answer]], list[Answer]], str]] = {
    "a first answer that comes twice": (lambda right: [*right, right[0]], "1 doubled"),
    "a repeat's answer that comes twice": (lambda right: [*right, right[3]], "1 doubled"),
    "an answer to nothing": (lambda right: [*right, Answer("none", "HoldRefused")], "1 doubled"),
    "a repeat's answer to an order that was asked for once": (
        lambda right: [*right, Answer("two", "HoldRepeated")],
        "1 doubled",
    ),
    "an order without an answer": (lambda right: right[:2] + right[3:], "1 lost"),
    "a repeat without an answer": (lambda right: right[:3], "1 lost"),
    "a hold that only its repeat tells of": (lambda right: right[1:], "1 lost"),
    "a refusal of what there is": (
        lambda right: [right[0], Answer("two", "HoldRefused"), *right[2:]],
        "1 wrong",
    ),
    "a hold of other units": (
        lambda right: [Answer("one", "HoldPlaced", (("a", 1),)), *right[1:]],
        "1 wrong",
    ),
    "a hold of what there is not": (
        lambda right: [*right[:2], Answer("three", "HoldPlaced", (("b", 1),)), right[3]],
        "1 wrong, 1 oversold",
    ),
    "a hold of a SKU that there never was": (
        lambda right: [*right[:2], Answer("three", "HoldPlaced", (("c", 1),)), right[3]],
        "1 wrong, 1 oversold",
    ),
}


@pytest.mark.parametrize("anomaly", ANOMALIES)
def test_each_anomaly_is_found(anomaly: str, expected: Expected) -> None:
    change, told = ANOMALIES[anomaly]
    verdict = judge(expected, change(list(RIGHT)))
    assert (str(verdict), verdict.clean) == (told, False)
    assert all(kind.partition(":")[0] in told for kind in verdict.examples)


def test_two_answers_that_come_twice_oversell_nothing(expected: Expected) -> None:
    verdict = judge(expected, RIGHT + RIGHT[:2])
    assert (verdict.doubled, verdict.oversold) == (2, 0)


def test_an_event_about_something_else_is_no_answer() -> None:
    assert read_answer(b'{"event":"StockReceived","order_id":"","units":[["a",1]]}') is None


def test_the_peers_rule_and_the_model_agree_on_the_jobs_input() -> None:
    values = [record.value for record in make_records(Job(orders=3_000, lines_max=5))]
    stock: dict[str, object] = {}
    holds: dict[str, object] = {}
    told = [answer(stock, holds, msgspec.json.decode(value)) for value in values]
    answers = [read_answer(msgspec.json.encode(one)) for one in told if one is not None]
    verdict = judge(expect(values), [one for one in answers if one is not None])
    assert verdict.clean
    kinds = {one.event for one in answers if one is not None}
    assert kinds == {"HoldPlaced", "HoldRefused", "HoldRepeated"}


def test_a_delivery_that_comes_again_adds_nothing() -> None:
    stock: dict[str, object] = {}
    holds: dict[str, object] = {}
    command = {"command": "ReceiveStock", "at": 1, "pool": POOL, "feed_id": "f", "units": [["a", 3]]}
    assert answer(stock, holds, command) is answer(stock, holds, command) is None
    assert stock == {f"{POOL}|a": (3, 0)}


def test_the_same_numbers_give_the_same_input() -> None:
    job = Job(orders=200, lines_max=3, seed=5)
    assert make_records(job) == make_records(job) != make_records(job._replace(seed=6))
