from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pipeline.domain.commands import CancelFulfilment, IssueWaybill, ReleaseHold, Tick
from pipeline.domain.routing.moves import REROUTES_PER_PART_MAX, renumbered
from pipeline.domain.routing.plan import SkuFacts
from pipeline.domain.routing_commands import (
    CancelRoute,
    CloseWarehouse,
    NoteProducts,
    OpenWarehouse,
    RedirectRoute,
    ReportStop,
    SettleAllocation,
)
from tests.domain.folding import names, requests
from tests.domain.invariants import check_invariants
from tests.domain.orders import NOON, POOL, SHIP_TO, order_id, units
from tests.domain.test_routing import CANCEL, shelf, shelves
from tests.domain.test_routing_plan import MORNING, order, plan, planned

if TYPE_CHECKING:
    from tests.domain.folding import Folded

A = order_id("A")
TICK = Tick(at=MORNING + 1000)
CLOSE = CloseWarehouse(at=MORNING, pool=POOL, warehouse="shanghai", reason="flood")


def stopped(part: int = 1, *, stopped: bool = True) -> ReportStop:
    return ReportStop(at=MORNING, pool=POOL, order_id=A, fulfilment_id=f"{A}-{part}", stopped=stopped)


def settle(part: int, *, shipped: bool) -> SettleAllocation:
    return SettleAllocation(at=NOON, pool=POOL, order_id=A, fulfilment_id=f"{A}-{part}", shipped=shipped)


def moving() -> Folded:
    """Route an order of 2 from Shanghai, close that, and let the time pass."""
    stage = planned(plan(), shanghai={"X": 5}, beijing={"X": 5}, chengdu={"X": 5})
    stage.tell(order(X=2))
    stage.tell(CLOSE)
    assert names(stage.tell(TICK)) == ["RerouteStarted", "CancelFulfilment"]
    return stage


def test_a_closed_warehouse_s_part_is_allocated_elsewhere_before_it_is_stopped() -> None:
    stage = planned(plan(), shanghai={"X": 5}, beijing={"X": 5})
    stage.tell(order(X=2))
    assert names(stage.tell(CLOSE)) == ["WarehouseClosed"]
    started, stop = stage.tell(TICK)
    (part,) = started.new_parts
    assert (started.fulfilment_id, part.fulfilment_id, part.warehouse) == (f"{A}-1", f"{A}-10001", "beijing")
    assert [score.warehouse for score in started.scores] == ["shanghai", "beijing", "chengdu"]
    assert isinstance(stop, CancelFulfilment)
    assert stop.keeps_hold
    assert shelves(stage) == {"shanghai": (5, 2), "beijing": (5, 2)}
    assert stage.tell(TICK) == []
    check_invariants(stage)


def test_only_when_the_old_part_is_stopped_for_certain_the_new_one_ships() -> None:
    stage = moving()
    rerouted, issue = stage.tell(stopped())
    assert rerouted.to_state == "allocated"
    assert isinstance(issue, IssueWaybill)
    assert (issue.fulfilment_id, issue.fulfilment.warehouse, issue.ship_to.name) == (
        f"{A}-10001",
        "beijing",
        SHIP_TO.name,
    )
    assert shelves(stage) == {"shanghai": (5, 0), "beijing": (5, 2), "chengdu": (5, 0)}
    assert names(stage.tell(stopped())) == ["RouteRepeated"]
    stage.tell(settle(10001, shipped=True))
    assert shelves(stage)["beijing"] == (3, 0)
    assert not stage.state.addresses
    check_invariants(stage)


def test_a_part_that_was_collected_stays_and_is_not_asked_for_again() -> None:
    stage = moving()
    assert names(stage.tell(stopped(stopped=False))) == ["RerouteAbandoned"]
    assert shelves(stage) == {"shanghai": (5, 2), "beijing": (5, 0), "chengdu": (5, 0)}
    assert stage.tell(TICK) == []
    stage.tell(settle(1, shipped=True))
    assert shelves(stage)["shanghai"] == (3, 0)
    check_invariants(stage)


@pytest.mark.parametrize("shipped", [True, False])
def test_a_part_that_is_settled_while_it_is_stopped_gives_its_new_place_back(shipped: bool) -> None:  # noqa: FBT001
    stage = moving()
    stage.tell(settle(1, shipped=shipped))
    assert shelves(stage) == {"shanghai": (3 if shipped else 5, 0), "beijing": (5, 0), "chengdu": (5, 0)}
    assert names(stage.tell(stopped())) == ["RouteRepeated"]
    check_invariants(stage)


def test_an_order_that_is_cancelled_meanwhile_is_released_once() -> None:
    stage = moving()
    assert names(stage.tell(CANCEL)) == ["CancelRequested"]
    abandoned, release = stage.tell(stopped())
    assert abandoned.to_state == "freed"
    assert isinstance(release, ReleaseHold)
    assert release.fulfilment_id == f"{A}-1"
    assert shelves(stage)["beijing"] == (5, 0)
    assert names(stage.tell(stopped())) == ["RouteRepeated"]
    stage.tell(settle(1, shipped=False))
    assert shelves(stage)["shanghai"] == (5, 0)
    check_invariants(stage)


def test_what_the_open_warehouses_cannot_ship_together_waits_and_goes_when_they_can() -> None:
    stage = planned(plan(), shanghai={"X": 5, "Y": 1}, beijing={"X": 1}, chengdu={"X": 1})
    stage.tell(order(X=2, Y=1))
    stage.tell(CLOSE)
    assert stage.tell(TICK) == []
    stage.tell(shelf("chengdu", X=1))
    assert stage.tell(TICK) == []
    stage.tell(shelf("chengdu", Y=1))
    (part,) = stage.tell(TICK)[0].new_parts
    assert (part.warehouse, part.units) == ("chengdu", units(X=2, Y=1))


def split(**rules: Any) -> Folded:  # noqa: ANN401
    """Route an order of 3 X for 10.00 and 1 Y for 0.01 from Shanghai, and close that: no other has all of it."""
    stage = planned(plan(**rules), shanghai={"X": 3, "Y": 1}, beijing={"X": 9}, chengdu={"X": 1, "Y": 9})
    stage.tell(msgspec.structs.replace(order(X=3, Y=1), values_minor=(1000, 1), paid_minor=900))
    stage.tell(CLOSE)
    return stage


def test_a_part_that_no_open_warehouse_has_whole_is_split_anew_and_its_money_to_the_cent() -> None:
    stage = split()
    started, stop = stage.tell(TICK)
    told = [(part.fulfilment_id, part.warehouse, part.units) for part in started.new_parts]
    assert told == [(f"{A}-10001", "beijing", units(X=3)), (f"{A}-110001", "chengdu", units(Y=1))]
    assert [(part.values_minor, part.paid_minor) for part in started.new_parts] == [((1000,), 899), ((1,), 1)]
    assert stop.fulfilment_id == f"{A}-1"
    both = {("shanghai", "X"): 3, ("shanghai", "Y"): 1, ("beijing", "X"): 3, ("chengdu", "Y"): 1}
    assert allocated(stage) == both
    check_invariants(stage)


def allocated(stage: Folded) -> dict[tuple[str, str], int]:
    """Give the units that are bound to parts, by warehouse and SKU."""
    keys = {key: shelf.allocated for key, shelf in stage.state.shelves.items() if shelf.allocated}
    return {(key.split("|")[1], key.split("|")[2]): count for key, count in keys.items()}


def test_all_the_new_parts_ship_only_when_the_old_one_is_stopped_for_certain() -> None:
    stage = split()
    stage.tell(TICK)
    rerouted, *issues = stage.tell(stopped())
    assert (rerouted.parts, [part.warehouse for part in rerouted.new_parts]) == (2, ["beijing", "chengdu"])
    assert [(issue.fulfilment_id, issue.fulfilment.units, issue.fulfilment.parts) for issue in issues] == [
        (f"{A}-10001", units(X=3), 2),
        (f"{A}-110001", units(Y=1), 2),
    ]
    assert allocated(stage) == {("beijing", "X"): 3, ("chengdu", "Y"): 1}
    check_invariants(stage)
    for number in (10001, 110001):
        stage.tell(settle(number, shipped=True))
    assert allocated(stage) == {}
    assert stage.state.routes[A].is_settled()
    check_invariants(stage)


def test_a_split_of_a_part_that_has_left_gives_all_its_new_places_back() -> None:
    stage = split()
    stage.tell(TICK)
    assert names(stage.tell(stopped(stopped=False))) == ["RerouteAbandoned"]
    assert allocated(stage) == {("shanghai", "X"): 3, ("shanghai", "Y"): 1}
    check_invariants(stage)


def test_a_stop_that_names_another_order_s_part_changes_nothing() -> None:
    stage = split()
    stage.tell(order("B", X=1))
    stage.tell(TICK)
    before = stage.tables()
    assert names(stage.tell(msgspec.structs.replace(stopped(), order_id=order_id("B")))) == ["RouteRepeated"]
    assert stage.tables() == before


def test_a_split_keeps_to_the_plan_s_rules_for_parcels() -> None:
    stage = split(parcel_grams_max=1000)
    stage.tell(NoteProducts(at=MORNING, pool=POOL, skus=(SkuFacts(sku="X", grams=500),)))
    (started, _) = stage.tell(TICK)
    assert [(part.warehouse, part.units) for part in started.new_parts] == [
        ("beijing", units(X=2)),
        ("beijing", units(X=1)),
        ("chengdu", units(Y=1)),
    ]
    assert sum(part.paid_minor for part in started.new_parts) == 900
    assert sum(sum(part.values_minor) for part in started.new_parts) == 1001


def test_parts_that_are_split_again_and_again_never_share_a_number() -> None:
    stage = split()
    stage.tell(TICK)
    stage.tell(stopped())
    stage.tell(shelf("shanghai", X=3, Y=1))
    stage.tell(OpenWarehouse(at=MORNING, pool=POOL, warehouse="shanghai", latitude=31.2, longitude=121.5))
    stage.tell(CloseWarehouse(at=MORNING, pool=POOL, warehouse="beijing", reason="flood"))
    stage.tell(shelf("shanghai", X=-4))
    (started, _) = stage.tell(TICK)
    assert [part.fulfilment_id for part in started.new_parts] == [f"{A}-20001", f"{A}-10020001"]
    assert renumbered(f"{A}-110001", 2) == (f"{A}-120001", f"{A}-10120001")


def test_a_cancelled_order_s_parts_are_all_stopped_also_those_of_a_split() -> None:
    stage = split()
    stage.tell(TICK)
    stage.tell(stopped())
    stops = requests(stage.tell(CANCEL))
    assert [getattr(stop, "fulfilment_id", "") for stop in stops] == [f"{A}-10001", f"{A}-110001"]


def test_two_parts_never_get_the_same_units_within_one_tick() -> None:
    stage = planned(plan(), shanghai={"X": 5}, beijing={"X": 3})
    for name in "ABC":
        stage.tell(order(name, X=1 + (name == "B")))
    stage.tell(CLOSE)
    assert names(stage.tell(TICK)) == ["RerouteStarted", "CancelFulfilment"] * 2
    assert shelves(stage)["beijing"][1] <= 3
    check_invariants(stage)


def test_a_new_address_voids_the_waybill_and_gets_another_from_the_same_warehouse() -> None:
    stage = planned(plan(), shanghai={"X": 2})
    stage.tell(order(X=2))
    elsewhere = msgspec.structs.replace(SHIP_TO, province="北京市")
    redirect = RedirectRoute(at=MORNING, pool=POOL, order_id=A, ship_to=elsewhere)
    assert names(stage.tell(redirect)) == ["RerouteStarted", "CancelFulfilment"]
    assert names(stage.tell(redirect)) == ["RouteRepeated"]
    issue = stage.tell(stopped())[1]
    assert (issue.ship_to, issue.fulfilment.warehouse) == (elsewhere, "shanghai")
    assert shelves(stage) == {"shanghai": (2, 2)}
    check_invariants(stage)


def test_a_new_address_that_comes_too_late_is_refused() -> None:
    stage = planned(plan(), shanghai={"X": 2})
    elsewhere = msgspec.structs.replace(SHIP_TO, province="北京市")
    redirect = RedirectRoute(at=MORNING, pool=POOL, order_id=A, ship_to=elsewhere)
    assert stage.tell(redirect)[0].reason == "TOO_LATE"
    stage.tell(order(X=2))
    stage.tell(redirect)
    assert names(stage.tell(stopped(stopped=False))) == ["RerouteAbandoned", "AddressChangeRefused"]
    stage.tell(settle(1, shipped=True))
    assert names(stage.tell(redirect)) == ["AddressChangeRefused"]


def test_an_address_that_changes_while_a_part_moves_goes_with_it() -> None:
    stage = moving()
    elsewhere = msgspec.structs.replace(SHIP_TO, province="北京市")
    assert names(stage.tell(RedirectRoute(at=MORNING, pool=POOL, order_id=A, ship_to=elsewhere))) == []
    assert stage.tell(stopped())[1].ship_to == elsewhere


def test_a_part_is_sent_again_so_many_times_at_most() -> None:
    stage = planned(plan(), shanghai={"X": 2})
    stage.tell(order(X=2))
    number = 1
    for place in range(REROUTES_PER_PART_MAX):
        there = msgspec.structs.replace(SHIP_TO, address_detail=str(place))
        stage.tell(RedirectRoute(at=MORNING, pool=POOL, order_id=A, ship_to=there))
        assert names(stage.tell(stopped(number))) == ["PartRerouted", "IssueWaybill"]
        number += 10_000
    last = RedirectRoute(at=MORNING, pool=POOL, order_id=A, ship_to=SHIP_TO)
    assert names(stage.tell(last)) == ["AddressChangeRefused"]


def test_cancelling_goes_after_the_part_that_took_another_s_place() -> None:
    stage = moving()
    stage.tell(stopped())
    (stop,) = requests(stage.tell(CancelRoute(at=MORNING, pool=POOL, order_id=A, reason="buyer")))
    assert isinstance(stop, CancelFulfilment)
    assert (stop.fulfilment_id, stop.keeps_hold) == (f"{A}-10001", False)
