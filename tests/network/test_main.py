"""What the command line makes of its arguments; that the stages take it, their own tests say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pipeline.desk.checking import read_json
from pipeline.domain.network_commands import DescribeSkus, SetRoutingPlan, WithdrawWarehouse
from pipeline.domain.routing.plan import RoutingPlan, problem
from pipeline.domain.routing_commands import ScanItem, ScanOutbound
from pipeline.errors import HoldfastError
from pipeline.network import main
from pipeline.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = ROOT / "pipeline" / "network" / "plan.example.json"
AT = 1_700_000_000_000


def made(*arguments: str) -> list[Any]:
    return main.commands(main._parser().parse_args(arguments), AT)  # noqa: SLF001  the arguments as a user gives them


def test_the_example_is_a_plan_that_makes_sense() -> None:
    plan = read_json(EXAMPLE, RoutingPlan)
    assert not problem(plan)
    (command,) = made("plan", "shanghai", str(EXAMPLE))
    assert command == SetRoutingPlan(at=AT, pool="shanghai", feed_id=f"plan-{plan.version}", plan=plan)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"version": "1", "wieghts": {}}', "wieghts"),
        ('{"version": "1", "weights": {"cost": -1}}', r"weights\.cost"),
        ('{"version": "1", "wave_minutes": [600, 540]}', "wave_minutes"),
        ("{", "plan.json"),
    ],
)
def test_a_plan_that_is_wrong_is_refused_with_the_file_and_the_field(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(HoldfastError, match=says) as refused:
        made("plan", "p", str(path))
    assert "plan.json" in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HoldfastError, match=r"none\.json"):
        made("plan", "p", str(tmp_path / "none.json"))


def test_many_products_become_feeds_of_a_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "products.json"
    path.write_bytes(msgspec.json.encode([{"sku": f"S{number}", "grams": 5} for number in range(1500)]))
    first, second = made("--feed-id", "f", "products", "p", str(path))
    assert isinstance(first, DescribeSkus)
    assert (len(first.skus), len(second.skus)) == (1000, 500)
    assert (first.feed_id, second.feed_id) == ("f-0", "f-1000")


def test_warehouses_are_closed_and_opened_and_parcels_scanned() -> None:
    assert isinstance(made("close", "p", "w", "--reason", "flood")[0], WithdrawWarehouse)
    assert made("open", "p", "w", "31.2", "121.5")[0].latitude == 31.2
    item, out = made("scan-item", "p", "o-1", "X", "2")[0], made("scan-out", "p", "o-1")[0]
    assert item == ScanItem(at=AT, pool="p", order_id="o", fulfilment_id="o-1", sku="X", units=2)
    assert out == ScanOutbound(at=AT, pool="p", order_id="o", fulfilment_id="o-1", scan_id=f"o-1-{AT}")
    with pytest.raises(HoldfastError, match="latitude"):
        made("open", "p", "w", "91", "0")
    for wrong in ("nodash", "o-", "-1", "o-x"):
        with pytest.raises(HoldfastError, match="FULFILMENT_ID"):
            made("scan-out", "p", "--", wrong)
    with pytest.raises(HoldfastError, match="--reason"):
        made("close", "p", "w", "--reason", " ")
