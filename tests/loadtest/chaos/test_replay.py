"""A replay of two counting stages over a log in memory: what they wrote is found, and every change to it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.chaos.replay import Replay, compare
from pipeline.engine.deciding import Deciding
from pipeline.engine.stage import DecidingStage, Record
from pipeline.engine.tables import PartitionTables
from tests.engine import counting

if TYPE_CHECKING:
    from collections.abc import Callable

PAYMENT = b'{"command":"PayOrder","at":5,"pool":"p","order_id":"o-%d","paid_minor":100}'
FOREIGN = b'{"command":"ReceiveStock","at":5}'


class Log:
    """Topics of one partition each, as the two stages filled them."""

    def __init__(self) -> None:
        self.topics: dict[str, list[Record]] = {}
        for number in (1, 2, 1, 3):
            self.write("order.commands", PAYMENT % number, b"p")
        self.write("order.commands", b"{", b"p")
        self.offsets: dict[tuple[str, int], int] = {}
        for stage in counting.STAGES:
            self.work(stage)
        self.write("stock.commands", FOREIGN, b"p")

    def write(self, topic: str, value: bytes | None, key: bytes | str, *more: object) -> None:
        records = self.topics.setdefault(topic, [])
        headers = more[4] if len(more) > 4 else ()
        name = key if isinstance(key, bytes) else key.encode()
        records.append(Record(topic, 0, len(records), 7, name, value, headers))  # type: ignore[arg-type]

    def work(self, stage: DecidingStage) -> None:
        records = list(self.topics[stage.reads.name])
        Deciding(stage, self.write, 10).run(PartitionTables(stage), records)
        self.offsets[stage.reads.name, 0] = len(records)

    def compare(self) -> Replay:
        return compare(counting.STAGES, lambda topic: list(self.topics.get(topic, ())), self.offsets)

    def differing(self) -> dict[str, int]:
        return {stage.stage: stage.differing for stage in self.compare().stages}


def test_what_the_stages_wrote_is_found_and_what_others_wrote_is_left_out() -> None:
    found = Log().compare()
    assert found.holds
    assert [(stage.stage, stage.records, stage.outputs) for stage in found.stages] == [
        ("first", 5, 9),
        ("second", 4, 4),
    ]


def test_records_that_were_not_processed_are_not_expected_to_have_answers() -> None:
    log = Log()
    log.write("order.commands", PAYMENT % 4, b"p")
    assert log.compare().holds


def _twice(log: Log) -> None:
    record = log.topics["order.events"][0]
    log.write("order.events", record.value, record.key or b"")


def _lost(log: Log) -> None:
    del log.topics["order.events"][0]


def _other_key(log: Log) -> None:
    log.topics["stock.commands"][1] = log.topics["stock.commands"][1]._replace(key=b"q")


def _other_header(log: Log) -> None:
    log.topics["dead.letters"][0] = log.topics["dead.letters"][0]._replace(headers=[("error.stage", b"first")])


def _unknown_writer(log: Log) -> None:
    log.write("order.events", b"{}", b"o-1")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_twice, {"first": 1, "second": 0}),
        (_lost, {"first": 1, "second": 0}),
        (_other_key, {"first": 2, "second": 0}),
        (_other_header, {"first": 2, "second": 0}),
        (_unknown_writer, {"first": 0, "second": 0, "?": 1}),
    ],
)
def test_every_difference_is_told_with_its_stage(change: Callable[[Log], None], expected: dict[str, int]) -> None:
    log = Log()
    change(log)
    assert log.differing() == expected
    assert any(
        "o-1" in line or "dead" in line or "p'" in line for stage in log.compare().stages for line in stage.first
    )


def test_a_value_that_differs_is_missing_and_surplus_and_both_are_shown() -> None:
    log = Log()
    events = log.topics["order.events"]
    events[-1] = events[-1]._replace(value=(events[-1].value or b"").replace(b'"paid_minor":1', b'"paid_minor":2'))
    second = log.compare().stages[1]
    assert second.differing == 2
    assert second.first[0].startswith("missing 1x: order.events")
    assert second.first[1].startswith("not expected 1x: order.events")
