from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pipeline.domain.commands import ConsumeHold, Tick
from pipeline.domain.local_time import moment
from pipeline.domain.orders import order_of
from pipeline.domain.routing.plan import PlannedWarehouse
from pipeline.domain.routing_commands import ExpediteRoute, ScanItem, ScanOutbound
from pipeline.domain.routing_floor_events import PartReleased, PickListMade, WaveStarted
from tests.domain.folding import names
from tests.domain.invariants import check_invariants
from tests.domain.orders import POOL, order_id, units
from tests.domain.test_routing import CANCEL
from tests.domain.test_routing_moves import CLOSE, settle, stopped
from tests.domain.test_routing_plan import MORNING, order, plan, planned

if TYPE_CHECKING:
    from tests.domain.folding import Folded

A = order_id("A")
DAY = 19_700
WAVES = (10 * 60, 14 * 60)
SHANGHAI = PlannedWarehouse(name="shanghai", city="上海市")


def at(hour: int, minute: int = 0, day: int = DAY) -> Tick:
    return Tick(at=moment(day, hour * 60 + minute))


def floor(**rules: Any) -> Folded:  # noqa: ANN401  any rule of the plan
    stage = planned(plan(SHANGHAI, wave_minutes=WAVES, **rules), shanghai={"X": 90, "Y": 90})
    stage.tell(at(0))
    return stage


def released(answers: list[Any]) -> list[str]:
    return [order_of(answer.fulfilment_id) for answer in answers if isinstance(answer, PartReleased)]


def item(sku: str, count: int, part: str = f"{A}-1") -> ScanItem:
    return ScanItem(at=MORNING, pool=POOL, order_id=order_of(part), fulfilment_id=part, sku=sku, units=count)


OUT = ScanOutbound(at=MORNING, pool=POOL, order_id=A, fulfilment_id=f"{A}-1", scan_id="gate-1")


def test_a_wave_begins_with_the_first_tick_from_its_minute_on_and_once() -> None:
    stage = floor()
    stage.tell(order("A", X=1, Y=2))
    stage.tell(order("B", X=2))
    assert stage.tell(at(9, 59)) == []
    answers = stage.tell(at(10, 1))
    assert {type(answer) for answer in answers} == {WaveStarted, PartReleased, PickListMade}
    assert sorted(released(answers)) == sorted(map(order_id, "AB"))
    (made,) = [answer for answer in answers if isinstance(answer, PickListMade)]
    assert (made.units, made.parts, made.wave) == (units(X=3, Y=2), 2, "20231209-1000")
    assert stage.tell(at(10, 1)) == stage.tell(at(10, 2)) == []
    check_invariants(stage)


def test_who_pays_for_it_goes_first_then_the_same_city_then_the_oldest() -> None:
    stage = floor(wave_parts_max=3)
    stage.tell(order("old", X=1))
    stage.tell(order("city", at=MORNING + 1, city="上海市", X=1))
    stage.tell(order("vip", at=MORNING + 2, priority=2, X=1))
    stage.tell(order("new", at=MORNING + 3, X=1))
    answers = stage.tell(at(10))
    assert released(answers) == [order_id(name) for name in ("vip", "city", "old")]
    assert [answer.left for answer in answers if isinstance(answer, WaveStarted)] == [0, 1, 0]
    assert released(stage.tell(at(14))) == [order_id("new")]


def test_an_expedited_order_jumps_a_backlog_of_ten_waves() -> None:
    stage = floor(wave_parts_max=5)
    for number in range(50):
        stage.tell(order(f"n{number}", at=MORNING + number, X=1))
    stage.tell(order("late", at=MORNING + 99, X=1))
    expedite = ExpediteRoute(at=MORNING + 100, pool=POOL, order_id=order_id("late"), priority=1)
    assert names(stage.tell(expedite)) == ["RouteExpedited"]
    assert names(stage.tell(expedite)) == ["RouteRepeated"]
    assert released(stage.tell(at(10)))[0] == order_id("late")


def test_from_the_express_priority_on_an_order_waits_for_no_wave() -> None:
    stage = floor(express_priority=5)
    assert "PartReleased" not in names(stage.tell(order("usual", X=1)))
    assert names(stage.tell(order("vip", priority=5, X=1)))[-2:] == ["PartReleased", "PickListMade"]
    hurry = ExpediteRoute(at=MORNING, pool=POOL, order_id=order_id("usual"), priority=9)
    assert names(stage.tell(hurry)) == ["RouteExpedited", "PartReleased", "PickListMade"]
    assert released(stage.tell(at(10))) == []


HURRY = ExpediteRoute(at=MORNING, pool=POOL, order_id=A, priority=5)


def moving(**rules: Any) -> Folded:  # noqa: ANN401  any rule of the plan
    """Two orders in Beijing, and one that is to be sent again from there, since Shanghai closed."""
    waves = plan(SHANGHAI, wave_minutes=WAVES, wave_parts_max=1, **rules)
    stage = planned(waves, shanghai={"X": 1}, beijing={"X": 9})
    stage.tell(at(0))
    stage.tell(order("A", at=MORNING + 9, X=1))
    for name in "BC":
        stage.tell(order(name, X=1))
    stage.tell(CLOSE)
    assert "RerouteStarted" in names(stage.tell(at(9)))
    return stage


def test_who_is_expedited_while_it_is_sent_again_goes_first_where_it_comes_to() -> None:
    stage = moving()
    assert names(stage.tell(HURRY)) == ["RouteExpedited"]
    assert names(stage.tell(HURRY)) == ["RouteRepeated"]
    assert names(stage.tell(stopped())) == ["PartRerouted", "IssueWaybill"]
    assert released(stage.tell(at(10))) == [A]
    check_invariants(stage)


def test_what_waits_for_no_wave_waits_for_none_where_it_comes_to() -> None:
    stage = moving(express_priority=5)
    assert names(stage.tell(HURRY)) == ["RouteExpedited"]
    assert names(stage.tell(stopped())) == ["PartRerouted", "IssueWaybill", "PartReleased", "PickListMade"]
    assert released(stage.tell(at(10))) == [order_id("B")]
    check_invariants(stage)


def test_a_closed_warehouse_begins_no_wave_and_a_cancelled_order_is_in_none() -> None:
    stage = floor()
    stage.tell(order("A", X=1))
    stage.tell(CANCEL)
    assert released(stage.tell(at(10))) == []
    stage.tell(CLOSE)
    assert "shanghai" not in [answer.warehouse for answer in stage.tell(at(14)) if isinstance(answer, WaveStarted)]


def test_a_scanned_item_must_belong_into_the_parcel() -> None:
    stage = floor()
    stage.tell(order("A", X=1, Y=2))
    assert stage.tell(item("Z", 1))[0].reason == "NOT_IN_PART"
    assert stage.tell(item("X", 2))[0].reason == "TOO_MANY"
    assert not stage.tell(item("X", 1))[0].is_complete
    assert names(stage.tell(item("X", 1))) == ["RouteRepeated"]
    assert stage.tell(OUT)[0].reason == "INCOMPLETE"
    assert stage.tell(item("Y", 2))[0].is_complete
    assert names(stage.tell(OUT)) == ["PartScannedOut", "ConsumeHold"]


def test_the_outbound_scan_consumes_the_hold_once() -> None:
    stage = floor()
    stage.tell(order("A", X=1))
    consume = stage.tell(OUT)[1]
    assert isinstance(consume, ConsumeHold)
    assert (consume.fulfilment_id, consume.units) == (f"{A}-1", units(X=1))
    assert names(stage.tell(OUT)) == ["RouteRepeated"]
    assert names(stage.tell(CANCEL)) == ["RouteRepeated"]
    stage.tell(settle(1, shipped=True))
    assert stage.tell(OUT)[0].reason == "NOT_TO_SHIP"
    assert not stage.state.floor
    check_invariants(stage)


@pytest.mark.parametrize("why", ["cancelled", "moving", "another pool", "never routed"])
def test_what_must_not_leave_is_not_let_out(why: str) -> None:
    stage = planned(plan(SHANGHAI), shanghai={"X": 9}, beijing={"X": 9})
    scan = OUT
    if why != "never routed":
        stage.tell(order("A", X=1))
    if why == "cancelled":
        stage.tell(CANCEL)
    if why == "another pool":
        scan = msgspec.structs.replace(OUT, pool="pool-2")
    if why == "moving":
        stage.tell(CLOSE)
        stage.tell(at(9))
    assert stage.tell(scan)[0].reason == "NOT_TO_SHIP"
    if why == "moving":
        stage.tell(stopped())
        assert stage.tell(scan)[0].reason == "NOT_TO_SHIP"
        again = msgspec.structs.replace(OUT, fulfilment_id=f"{A}-10001")
        assert names(stage.tell(again)) == ["PartScannedOut", "ConsumeHold"]


def test_where_the_plan_says_so_every_item_is_scanned_before_a_parcel_leaves() -> None:
    stage = floor(checks_items=True)
    stage.tell(order("A", X=1))
    assert stage.tell(OUT)[0].reason == "INCOMPLETE"
    stage.tell(item("X", 1))
    assert names(stage.tell(OUT)) == ["PartScannedOut", "ConsumeHold"]


def test_the_index_of_the_floor_is_the_same_when_it_is_built_late() -> None:
    stage, late = floor(wave_parts_max=2), floor(wave_parts_max=2)
    for number in range(5):
        stage.tell(order(str(number), X=1))
        late.tell(order(str(number), X=1))
    late.state.present._by_warehouse = None  # noqa: SLF001  as after a restore
    assert stage.tell(at(10)) == late.tell(at(10))
