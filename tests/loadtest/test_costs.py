"""The account of costs: what is recorded is what the stages do, and what is measured adds up."""

from __future__ import annotations

import argparse
import os

import msgspec
import pytest

from loadtest.costs import main as costs
from loadtest.costs.pieces import measure_stage
from loadtest.costs.recording import BATCH_RECORDS_MAX, Recordings, record
from loadtest.costs.threads import thread_seconds
from loadtest.plan import Plan, add_options, make_plan
from pipeline.errors import SettingsError
from pipeline.settings import Settings

ORDERS = 60


@pytest.fixture(scope="module")
def plan() -> Plan:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return make_plan(parser.parse_args(["--orders", str(ORDERS), "--lines", "1-3", "--hostile", "0"]))


@pytest.fixture(scope="module")
def recordings(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    shops = tmp_path_factory.mktemp("costs") / "shops.json"
    shops.write_bytes(msgspec.json.encode(plan.pools))
    return record(Settings(shop_pools_file=str(shops)), plan, reports=4)


def test_every_stage_has_its_part_of_the_way(recordings: Recordings) -> None:
    names = [each.stage.name for each in recordings.stages]
    assert names == ["ingest", "dedup", "reservation", "routing", "waybill", "tracking"]
    assert all(each.records >= ORDERS / 2 for each in recordings.stages)
    tracked = sum(b'"ShipmentTracked"' in (event.value or b"") for event in recordings.events)
    signed = sum(b'"event":"ShipmentMoved"' in (event.value or b"") for event in recordings.events) / 4
    assert tracked == signed == ORDERS
    assert len(recordings.calls) >= ORDERS


def test_a_batch_is_of_one_partition_and_its_offsets_go_up(recordings: Recordings) -> None:
    for each in recordings.stages:
        for batch in each.batches:
            assert len(batch) <= BATCH_RECORDS_MAX
            assert len({record.partition for record in batch}) == 1
            assert [record.offset for record in batch] == sorted(record.offset for record in batch)


def test_the_pieces_of_a_stage_add_up_to_the_whole(recordings: Recordings) -> None:
    measured = measure_stage(recordings.stages[1], ORDERS, 1)
    pieces = msgspec.structs.asdict(measured.pieces)
    whole = pieces.pop("whole")
    assert whole > 0
    assert sum(pieces.values()) == pytest.approx(whole)
    assert measured.outputs > measured.records > 0


def test_the_kernel_tells_the_threads_of_a_process() -> None:
    sum(number * number for number in range(3_000_000))
    assert thread_seconds(os.getpid())["main"] > 0


@pytest.mark.parametrize("given", [["--rounds", "0"], ["--workers", "0"], ["--json", "/nowhere/at/all.json"]])
def test_what_cannot_be_is_refused(given: list[str]) -> None:
    with pytest.raises(SettingsError, match=given[0]):
        costs.main(["--stages-only", *given])
