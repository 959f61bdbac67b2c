"""Scale on paper: the arithmetic, and the simulated spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from loadtest.costs.box import Box
from loadtest.costs.floor import Cost, Floor
from loadtest.costs.main import Costs
from loadtest.costs.pieces import Pieces, StageCosts
from loadtest.scale import main as scale
from loadtest.scale.needs import reckon
from loadtest.scale.skew import Merchants, pools_of, simulate
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = Pieces(decode=0, decide=0, evolve=0, encode_events=0, encode_commands=0, changelog=0, loop=0, whole=10)
EVEN = Merchants(merchants=20_000, exponent=0.0, pool_share_max=1.0)


def stage(name: str) -> StageCosts:
    return StageCosts(stage=name, records=1, outputs=2, output_bytes=500, changes=0, pieces=NOTHING)


def costs() -> Costs:
    """Give costs in round numbers: 100 µs of worker, 50 of broker, an order writes 1 KB."""
    box = Box(
        orders=1000,
        workers=2,
        seconds=1,
        cpu_microseconds={"worker-0": 60, "worker-1": 40, "kafka": 50, "clickhouse": 20, "sink": 10, "redis": 10},
        thread_microseconds={"worker-0": {"main": 45, "rdk": 15}, "worker-1": {"main": 35, "rdk": 5}},
    )
    cost = Cost(2, 1)
    floor = Floor(records=1, record_bytes=1, null_loop=cost, read=cost, write=cost)
    return Costs(
        orders=1000, lines=2, events=8, stages=[stage("dedup"), stage("ingest")], varied=[], floor=floor, box=box
    )


def test_a_rate_needs_its_microseconds_in_cores() -> None:
    needs = reckon(costs(), 100_000, utilisation=0.5, replication=1)
    by_part = {need.part: need for need in needs.needs}
    assert by_part["workers"].cores == pytest.approx(20)
    assert by_part["workers"].processes == 16  # 80 µs of one thread
    assert by_part["brokers"].cores == pytest.approx(10)
    assert needs.log_megabytes_per_second == pytest.approx(100)


def test_each_further_replica_reads_and_writes_what_the_leader_wrote() -> None:
    one, three = (reckon(costs(), 1000, utilisation=1, replication=copies) for copies in (1, 3))
    brokers = [next(need.cores for need in needs.needs if need.part == "brokers") for needs in (one, three)]
    assert brokers[1] - brokers[0] == pytest.approx(1000 * 2 * 4 * (1 + 1) / 1e6)


def test_only_stages_that_are_keyed_by_pool_make_a_partition_hot() -> None:
    needs = reckon(costs(), 1000, utilisation=1, replication=1)
    assert needs.pool_microseconds == pytest.approx(10 + 2 * 2)
    assert needs.pool_share == pytest.approx(14 / 80)


def test_merchants_that_are_all_alike_spread_evenly() -> None:
    skew = simulate(EVEN, 10, 1.0, 40, 3)
    assert 1.0 <= skew.worker_median <= skew.worker_p95 < 1.2


def test_one_large_merchant_fills_a_worker_unless_it_has_several_pools() -> None:
    uneven = Merchants(merchants=1000, exponent=1.5, pool_share_max=1.0)
    split = msgspec.structs.replace(uneven, pool_share_max=0.002)
    hot, cool = (simulate(each, 10, 1.0, 160, 5) for each in (uneven, split))
    assert hot.worker_median > 2 * cool.worker_median
    assert sum(share for _, share in pools_of(split, 1)) == pytest.approx(1.0)


def test_what_is_not_keyed_by_pool_is_even() -> None:
    uneven = Merchants(merchants=10, exponent=2.0, pool_share_max=1.0)
    assert simulate(uneven, 4, 0.0, 8, 1).worker_p95 == pytest.approx(1.0)


def test_more_partitions_than_workers_do_not_help_where_each_has_as_many() -> None:
    uneven = Merchants(merchants=1000, exponent=1.0, pool_share_max=1.0)
    few, many = (simulate(uneven, 10, 0.5, partitions, 3) for partitions in (20, 80))
    assert few.worker_p95 == pytest.approx(many.worker_p95)


def test_the_command_reads_measured_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, result = tmp_path / "costs.json", tmp_path / "scale.json"
    file.write_bytes(msgspec.json.encode(costs()))
    given = ["--costs", str(file), "--json", str(result), "--merchants", "2000", "--seeds", "3"]
    assert scale.main(given) == 0
    assert "100,000 orders/s" in capsys.readouterr().out
    assert msgspec.json.decode(result.read_bytes(), type=scale.Scale).pool_orders_per_second


@pytest.mark.parametrize(
    "given",
    [
        ["--costs", "/nowhere.json"],
        ["--utilisation", "0"],
        ["--utilisation", "1.5"],
        ["--orders-per-second", "0"],
        ["--exponent", "-1"],
        ["--replication", "0"],
        ["--merchants", "0"],
        ["--seeds", "0"],
    ],
)
def test_what_cannot_be_is_refused(given: list[str]) -> None:
    with pytest.raises(SettingsError, match=given[0]):
        scale.main(given)


def test_costs_without_a_box_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "costs.json"
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(costs(), box=None)))
    with pytest.raises(SettingsError, match="--costs"):
        scale.main(["--costs", str(file)])
