from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pipeline.domain.commands import CancelFulfilment, IssueWaybill, ReleaseHold
from pipeline.domain.errors import InvariantError
from pipeline.domain.routing import deciding as routing
from pipeline.domain.routing_commands import CancelRoute, OpenWarehouse, RouteOrder, SettleAllocation, StockShelf
from pipeline.domain.shipping_events import OrderRouted, RouteFailed, RoutePart
from tests.domain.folding import names, requests
from tests.domain.orders import NOON, POOL, SHIP_TO, order_id, units
from tests.domain.stages import folded

if TYPE_CHECKING:
    from tests.domain.folding import Folded

A = order_id("A")
PLACES = {"beijing": (39.9, 116.4), "shanghai": (31.2, 121.5), "chengdu": (30.6, 104.1)}


def shelf(warehouse: str, /, **counts: int) -> StockShelf:
    return StockShelf(at=NOON, pool=POOL, warehouse=warehouse, units=units(**counts))


def network(**shelves: dict[str, int]) -> Folded:
    """Open the three warehouses, and put goods on their shelves."""
    stage = folded("routing")
    for name, (north, east) in PLACES.items():
        stage.tell(OpenWarehouse(at=NOON, pool=POOL, warehouse=name, latitude=north, longitude=east))
    for name, counts in shelves.items():
        stage.tell(shelf(name, **counts))
    return stage


def route(name: str = "A", /, province: str = "浙江省", **counts: int) -> RouteOrder:
    ship_to = msgspec.structs.replace(SHIP_TO, province=province)
    return RouteOrder(at=NOON, pool=POOL, order_id=order_id(name), units=units(**counts), ship_to=ship_to)


def settle(part: int = 1, *, shipped: bool) -> SettleAllocation:
    return SettleAllocation(at=NOON, pool=POOL, order_id=A, fulfilment_id=f"{A}-{part}", shipped=shipped)


CANCEL = CancelRoute(at=NOON, pool=POOL, order_id=A, reason="buyer")


def routed(stage: Folded, command: RouteOrder) -> OrderRouted:
    event = stage.tell(command)[0]
    assert isinstance(event, OrderRouted)
    return event


def shelves(stage: Folded, sku: str = "X") -> dict[str, tuple[int, int]]:
    found = {name: stage.state.shelves.get(f"{POOL}|{name}|{sku}") for name in PLACES}
    return {name: (shelf.on_hand, shelf.allocated) for name, shelf in found.items() if shelf}


ALL = {name: {"X": 5, "Y": 5} for name in PLACES}


@pytest.mark.parametrize(
    ("province", "nearest"),
    [("浙江省", "shanghai"), ("河北", "beijing"), ("云南省", "chengdu"), ("Ontario", "beijing")],
)
def test_the_nearest_warehouse_that_has_all_of_it_ships_it(province: str, nearest: str) -> None:
    stage = network(**ALL)
    answers = stage.tell(route(province=province, X=5, Y=1))
    assert names(answers) == ["OrderRouted", "IssueWaybill"]
    assert answers[0].parts == (RoutePart(fulfilment_id=f"{A}-1", warehouse=nearest, units=units(X=5, Y=1)),)
    assert shelves(stage)[nearest] == (5, 5)


def test_a_nearer_one_that_has_not_all_of_it_is_passed_over() -> None:
    event = routed(network(shanghai={"X": 5}, chengdu={"X": 1, "Y": 1}), route(X=1, Y=1))
    assert [part.warehouse for part in event.parts] == ["chengdu"]


def test_every_candidate_is_scored_the_nearest_first() -> None:
    event = routed(network(shanghai={"X": 1}, chengdu={"X": 9}), route(X=3))
    assert [(score.warehouse, score.units_free) for score in event.scores] == [
        ("shanghai", 1),
        ("beijing", 0),
        ("chengdu", 3),
    ]
    assert [score.distance_km for score in event.scores] == sorted(score.distance_km for score in event.scores)


def test_an_order_that_no_warehouse_has_is_split_the_nearest_first() -> None:
    stage = network(shanghai={"X": 1}, beijing={"X": 1, "Y": 2}, chengdu={"X": 9})
    answers = stage.tell(route(X=4, Y=1))
    assert [(part.warehouse, part.units) for part in answers[0].parts] == [
        ("shanghai", units(X=1)),
        ("beijing", units(X=1, Y=1)),
        ("chengdu", units(X=2)),
    ]
    issues = requests(answers)
    assert [issue.fulfilment_id for issue in issues if isinstance(issue, IssueWaybill)] == [
        f"{A}-{n}" for n in (1, 2, 3)
    ]
    assert all(issue.fulfilment.parts == 3 for issue in issues if isinstance(issue, IssueWaybill))


def test_an_order_that_cannot_be_routed_gives_its_hold_back() -> None:
    event, release = network(shanghai={"X": 1}).tell(route(X=2))
    assert isinstance(event, RouteFailed)
    assert isinstance(release, ReleaseHold)
    assert (release.fulfilment_id, release.units, release.reason) == (f"{A}-0", units(X=2), "NOT_ROUTABLE")
    assert names(folded("routing").tell(route(X=1))) == ["RouteFailed", "ReleaseHold"]


def test_an_order_is_routed_once() -> None:
    stage = network(**ALL)
    stage.tell(route(X=1))
    assert names(stage.tell(route(X=1))) == ["RouteRepeated"]
    assert shelves(stage)["shanghai"] == (5, 1)


def test_what_shipped_leaves_the_shelf_and_what_did_not_is_free_again() -> None:
    stage = network(shanghai={"X": 3}, beijing={"X": 3})
    stage.tell(route(X=4))
    assert names(stage.tell(settle(1, shipped=True))) == ["AllocationSettled"]
    assert names(stage.tell(settle(1, shipped=False))) == ["RouteRepeated"]
    stage.tell(settle(2, shipped=False))
    assert shelves(stage) == {"shanghai": (0, 0), "beijing": (3, 0)}


def test_a_cancellation_goes_after_every_part_that_has_not_left() -> None:
    stage = network(shanghai={"X": 3}, beijing={"X": 3})
    stage.tell(route(X=4))
    stage.tell(settle(1, shipped=True))
    answers = stage.tell(CANCEL)
    assert names(answers) == ["CancelRequested", "CancelFulfilment"]
    (stop,) = requests(answers)
    assert isinstance(stop, CancelFulfilment)
    assert (stop.fulfilment_id, stop.fulfilment.units) == (f"{A}-2", units(X=1))
    assert names(stage.tell(CANCEL)) == ["RouteRepeated"]


def test_cancelling_what_is_not_on_its_way_changes_nothing_and_says_why() -> None:
    stage = network(shanghai={"X": 1})
    assert stage.tell(CANCEL)[0].to_state == "no route"
    stage.tell(route(X=1))
    stage.tell(settle(shipped=True))
    assert stage.tell(CANCEL)[0].to_state == "settled"
    failed = network()
    failed.tell(route(X=1))
    assert failed.tell(CANCEL)[0].to_state == "route_failed"


def test_after_a_correction_below_what_is_allocated_nothing_is_free_there() -> None:
    stage = network(shanghai={"X": 5}, chengdu={"X": 1})
    stage.tell(route(X=4))
    stage.tell(shelf("shanghai", X=-3))
    assert shelves(stage)["shanghai"] == (2, 4)
    assert [part.warehouse for part in routed(stage, route("B", X=1)).parts] == ["chengdu"]


def test_a_warehouse_may_move() -> None:
    stage = network(**ALL)
    stage.tell(OpenWarehouse(at=NOON, pool=POOL, warehouse="chengdu", latitude=30.3, longitude=120.2))
    assert routed(stage, route(X=1)).parts[0].warehouse == "chengdu"


def test_a_state_that_breaks_an_invariant_is_our_bug() -> None:
    stage = network()
    part = RoutePart(fulfilment_id=f"{A}-1", warehouse="beijing", units=units(X=1))
    event: Any = OrderRouted(order_id=A, at=NOON, pool=POOL, parts=(part,), scores=())
    with pytest.raises(InvariantError, match="takes 1 units"):
        routing.evolve(stage.state, event)
