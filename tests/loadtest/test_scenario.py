"""What is sent, and when."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from loadtest.hostile import KINDS, hostile_records
from loadtest.journey import Line, ShopOrder
from loadtest.oracle.asked import ask
from loadtest.scenario import Scenario, Shares, TimedRecord, merge, read_scenario, schedule, write_scenario

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NONE = Shares(0.0, 0.0, 0.0, 0.0)


def orders(count: int) -> list[ShopOrder]:
    """Give so many orders of different buyers."""
    lines = (Line("a", 2, 100), Line("b", 1, 50))
    return [ShopOrder(f"o{place}", "s1", str(place), 1_490_000_000_000, lines, 0, 0, 0) for place in range(count)]


def bodies(records: list[TimedRecord]) -> list[dict[str, Any]]:
    """Read the payloads back."""
    return [orjson.loads(record.value or b"") for record in records]


def test_without_shares_every_order_comes_once_paid_at_its_time() -> None:
    records = schedule(orders(10), 5.0, 1, NONE)
    assert [record.offset_seconds for record in records] == [place / 5 for place in range(10)]
    assert {(body["status"], body["paid_minor"]) for body in bodies(records)} == {("paid", 250)}


def test_the_same_seed_gives_the_same_records_and_another_does_not() -> None:
    shares = Shares()
    assert schedule(orders(500), 100.0, 7, shares) == schedule(orders(500), 100.0, 7, shares)
    assert schedule(orders(500), 100.0, 7, shares) != schedule(orders(500), 100.0, 8, shares)


def test_an_unpaid_order_is_paid_or_cancelled_later() -> None:
    records = schedule(orders(300), 100.0, 1, NONE._replace(unpaid=1.0))
    by_order: dict[bytes, list[TimedRecord]] = {}
    for record in records:
        by_order.setdefault(record.key, []).append(record)
    kinds: Counter[str] = Counter()
    for own in by_order.values():
        first, second = bodies(own)
        assert (first["status"], first["paid_at"], first["paid_minor"]) == ("unpaid", None, 0)
        kinds[second["type"]] += 1
        assert own[0].expect == ("cancelled" if second["type"] == "cancellation" else "")
    assert kinds.total() == 300
    assert 160 < kinds["payment"] < 240


def test_an_order_out_of_order_is_preceded_by_its_news() -> None:
    first, second = bodies(schedule(orders(1), 1.0, 1, NONE._replace(out_of_order=1.0)))
    assert (first["type"] in {"payment", "cancellation"}, second["status"]) == (True, "unpaid")


def test_an_order_that_comes_twice_is_the_same_twice() -> None:
    first, second = schedule(orders(1), 1.0, 1, NONE._replace(twice=1.0))
    assert (first.value, first.key) == (second.value, second.key)
    assert first.offset_seconds < second.offset_seconds


def test_a_cancelled_order_was_paid() -> None:
    first, second = bodies(schedule(orders(1), 1.0, 1, NONE._replace(cancelled=1.0)))
    assert (first["status"], second["type"]) == ("paid", "cancellation")


def test_the_shares_are_kept_about() -> None:
    seen = Counter(record.key for record in schedule(orders(5000), 1000.0, 3, Shares()))
    twice = sum(1 for times in seen.values() if times == 2) / 5000
    assert abs(twice - sum(Shares())) < 0.015


def test_a_scenario_is_read_as_it_was_written(tmp_path: Path) -> None:
    hostile = [record for record, _ in hostile_records(20, orders(20), 1.0, 7)]
    scenario = merge(schedule(orders(20), 10.0, 7, Shares()), hostile, 10.0)
    write_scenario(scenario, tmp_path / "scenario")
    assert read_scenario(tmp_path / "scenario") == scenario
    assert scenario.seconds == scenario.records[-1].offset_seconds > 0
    assert Scenario([], 1.0).seconds == 0


def test_every_kind_of_hostile_record_is_made_and_says_what_it_expects() -> None:
    found = hostile_records(2 * len(KINDS), orders(20), 1.0, 7)
    assert len({item.record.key for item in found}) == len(found)
    assert all(item.record.expect for item in found)
    assert {item.record.codec for item in found} == {"", "lz4", "zstd", "snappy"}
    sizes = [len(item.record.value or b"") for item in found]
    assert max(sizes) > 2_000_000
    assert max(len(item.order.lines) for item in found if item.order) == 593


def test_what_is_sent_is_what_the_check_reads() -> None:
    (record,) = schedule(orders(1), 1.0, 1, NONE)
    asked = ask({"platform": record.platform}, record.value or b"")
    assert (asked.kind, dict(asked.units)) == ("order", {"a": 2, "b": 1})


def test_a_long_scenario_is_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.scenario.WRITTEN_TOGETHER", 2)
    records = [TimedRecord(place / 10, b"key", b"value") for place in range(5)]
    write_scenario(Scenario(records, 10.0), tmp_path / "scenario")
    assert read_scenario(tmp_path / "scenario") == Scenario(records, 10.0)
