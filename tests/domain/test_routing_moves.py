from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from pipeline.domain.commands import CancelFulfilment, IssueWaybill, ReleaseHold, Tick
from pipeline.domain.routing.moves import REROUTES_PER_PART_MAX
from pipeline.domain.routing_commands import CancelRoute, CloseWarehouse, RedirectRoute, ReportStop, SettleAllocation
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
    assert (started.fulfilment_id, started.part.fulfilment_id, started.part.warehouse) == (
        f"{A}-1",
        f"{A}-10001",
        "beijing",
    )
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


def test_what_no_open_warehouse_has_whole_waits_and_goes_when_one_has_it() -> None:
    stage = planned(plan(), shanghai={"X": 5}, beijing={"X": 1}, chengdu={"X": 1})
    stage.tell(order(X=2))
    stage.tell(CLOSE)
    assert stage.tell(TICK) == []
    stage.tell(shelf("chengdu", X=1))
    started = stage.tell(TICK)[0]
    assert (started.part.warehouse, started.part.units) == ("chengdu", units(X=2))


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
