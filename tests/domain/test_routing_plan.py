from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.commands import IssueWaybill
from pipeline.domain.local_time import DAY_MS, moment
from pipeline.domain.routing.parcels import share_out
from pipeline.domain.routing.plan import Lane, PlannedWarehouse, RoutingPlan, SkuFacts, Weights, problem
from pipeline.domain.routing_commands import AdoptPlan, CloseWarehouse, NoteProducts, OpenWarehouse, RouteOrder
from pipeline.domain.shipping_events import OrderRouted, RouteFailed
from tests.domain.folding import requests
from tests.domain.orders import POOL, units
from tests.domain.test_routing import network, route, routed, shelf, shelves

if TYPE_CHECKING:
    from tests.domain.folding import Folded

MORNING = moment(19_700, 9 * 60)
STOCK = shelf("shanghai")


def planned(plan: RoutingPlan, **stock: dict[str, int]) -> Folded:
    stage = network(**stock)
    stage.tell(AdoptPlan(at=MORNING, pool=POOL, plan=plan))
    return stage


def plan(*warehouses: PlannedWarehouse, weights: Weights | None = None, **rules: Any) -> RoutingPlan:  # noqa: ANN401
    return RoutingPlan(version="7", weights=weights or Weights(), warehouses=warehouses, **rules)


def order(name: str = "A", /, at: int = MORNING, priority: int = 0, city: str = "", **counts: int) -> RouteOrder:
    command = msgspec.structs.replace(route(name), units=units(**counts))
    ship_to = msgspec.structs.replace(command.ship_to, city=city)
    return msgspec.structs.replace(command, at=at, priority=priority, ship_to=ship_to)


def chosen(stage: Folded, command: RouteOrder) -> list[str]:
    return [part.warehouse for part in routed(stage, command).parts]


EVERYWHERE = {"shanghai": {"X": 50, "Y": 50}, "beijing": {"X": 50, "Y": 50}, "chengdu": {"X": 50, "Y": 50}}


@pytest.mark.parametrize(
    ("weights", "words", "ships"),
    [
        (Weights(), {}, "shanghai"),
        (Weights(nearest=1, region=2), {"chengdu": {"regions": ("浙江",)}}, "chengdu"),
        (
            Weights(nearest=0, cost=1),
            {
                "shanghai": {"parcel_minor": 900},
                "beijing": {"minor_per_100_km": 50},
                "chengdu": {"parcel_minor": 10_000, "lanes": (Lane(province="Zhejiang", parcel_minor=500),)},
            },
            "chengdu",
        ),
        (Weights(nearest=0, category=1), {"beijing": {"categories": ("fresh",)}}, "beijing"),
    ],
)
def test_the_weights_say_which_strategy_decides(weights: Weights, words: dict[str, dict[str, Any]], ships: str) -> None:
    warehouses = [PlannedWarehouse(name=name, **said) for name, said in words.items()]
    stage = planned(plan(*warehouses, weights=weights), **EVERYWHERE)
    stage.tell(NoteProducts(at=MORNING, pool=POOL, skus=(SkuFacts(sku="X", category="fresh"),)))
    event = routed(stage, order(X=1))
    assert [part.warehouse for part in event.parts] == [ships]
    assert event.rule_version == "7"
    assert {score.warehouse for score in event.scores} == set(EVERYWHERE)
    assert next(score for score in event.scores if score.warehouse == ships).score == max(
        score.score for score in event.scores
    )


def test_load_balance_gives_each_warehouse_its_share_of_the_day() -> None:
    warehouses = (
        PlannedWarehouse(name="shanghai", daily_parts_max=10),
        PlannedWarehouse(name="beijing", daily_parts_max=20),
        PlannedWarehouse(name="chengdu", daily_parts_max=10),
    )
    stage = planned(plan(*warehouses, weights=Weights(nearest=0, load=1)), **EVERYWHERE)
    ships = [chosen(stage, order(str(number), X=1))[0] for number in range(40)]
    assert {name: ships.count(name) for name in set(ships)} == {"shanghai": 10, "beijing": 20, "chengdu": 10}


def test_a_warehouse_that_has_its_day_s_parts_is_passed_over_while_another_can_and_not_the_next_day() -> None:
    stage = planned(plan(PlannedWarehouse(name="shanghai", daily_parts_max=1)), shanghai={"X": 9}, beijing={"X": 1})
    assert [chosen(stage, order(name, X=1)) for name in "ABC"] == [["shanghai"], ["beijing"], ["shanghai"]]
    assert chosen(stage, order("D", at=MORNING + DAY_MS, X=1)) == ["shanghai"]


def test_a_customer_s_priority_asks_for_the_warehouse_that_delivers_soonest() -> None:
    words = (PlannedWarehouse(name="shanghai", parcel_minor=900), PlannedWarehouse(name="chengdu", parcel_minor=100))
    stage = planned(plan(*words, weights=Weights(nearest=0, cost=1, priority=5)), **EVERYWHERE)
    assert chosen(stage, order("A", X=1)) == ["beijing"]
    assert chosen(stage, order("B", priority=3, X=1)) == ["shanghai"]


def test_an_order_that_two_warehouses_can_ship_together_does_not_become_three_parcels() -> None:
    stage = planned(plan(), shanghai={"X": 1}, beijing={"X": 1, "Y": 2}, chengdu={"X": 9})
    event = routed(stage, order(X=4, Y=1))
    assert [(part.warehouse, part.units) for part in event.parts] == [
        ("beijing", units(X=1, Y=1)),
        ("chengdu", units(X=3)),
    ]


def test_below_the_water_line_the_neighbour_ships_and_without_one_the_shelf_is_emptied() -> None:
    stage = planned(plan(water_line=10), shanghai={"X": 10}, beijing={"X": 11})
    assert [chosen(stage, order(name, X=1)) for name in "ABCD"] == [
        ["shanghai"],
        ["beijing"],
        ["beijing"],
        ["shanghai"],
    ]
    assert shelves(stage) == {"shanghai": (10, 2), "beijing": (11, 2)}


def test_a_closed_warehouse_gets_no_order_that_another_can_ship_and_any_when_it_opens_again() -> None:
    stage = planned(plan(), **EVERYWHERE)
    stage.tell(CloseWarehouse(at=MORNING, pool=POOL, warehouse="shanghai", reason="flood"))
    event = routed(stage, order("A", X=1))
    assert event.parts[0].warehouse == "beijing"
    assert [score.standing for score in event.scores] == ["closed", "", ""]
    assert chosen(stage, order("B", X=101)) == ["beijing", "chengdu", "shanghai"]
    stage.tell(OpenWarehouse(at=MORNING, pool=POOL, warehouse="shanghai", latitude=31.2, longitude=121.5))
    assert chosen(stage, order("C", X=1)) == ["shanghai"]


def test_what_ships_apart_and_what_is_too_heavy_goes_into_parcels_of_their_own() -> None:
    stage = planned(plan(apart=("liquid",), parcel_grams_max=1000), **EVERYWHERE)
    described = (SkuFacts(sku="X", category="liquid", grams=10), SkuFacts(sku="Y", grams=400))
    stage.tell(NoteProducts(at=MORNING, pool=POOL, skus=described))
    answers = stage.tell(order(X=2, Y=5))
    assert [part.units for part in answers[0].parts] == [units(Y=2), units(Y=2), units(Y=1), units(X=2)]
    assert [issue.fulfilment_id[-2:] for issue in requests(answers) if isinstance(issue, IssueWaybill)] == [
        "-1",
        "-2",
        "-3",
        "-4",
    ]


def test_the_parts_money_adds_up_to_the_order_s_to_the_cent() -> None:
    stage = planned(plan(), shanghai={"X": 1, "Y": 1}, chengdu={"X": 2})
    command = msgspec.structs.replace(order(X=3, Y=1), values_minor=(100, 1), paid_minor=98)
    event = routed(stage, command)
    assert [(part.values_minor, part.paid_minor) for part in event.parts] == [((33, 1), 33), ((67,), 65)]


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_shares_add_up_and_are_off_by_less_than_one(total: int, weights: list[int]) -> None:
    shares = share_out(total, weights)
    assert sum(shares) == total
    whole = sum(weights)
    assert all(
        abs(share * whole - total * weight) < whole for share, weight in zip(shares, weights, strict=True) if whole
    )


@pytest.mark.parametrize(
    ("minute", "city", "days"), [(9 * 60, "", 1), (17 * 60, "", 2), (9 * 60, "上海市", 0), (17 * 60, "上海市", 1)]
)
def test_delivery_is_estimated_from_the_cut_off_and_the_way(minute: int, city: str, days: int) -> None:
    stage = planned(plan(PlannedWarehouse(name="shanghai", city="上海市")), **EVERYWHERE)
    event = routed(stage, order(at=moment(19_700, minute), city=city, X=1))
    assert event.parts[0].deliver_by == moment(19_700 + days, 20 * 60)
    assert event.parts[0].same_city == bool(city)
    assert [score.deliver_by for score in event.scores][1:] == [moment(19_700 + (minute > 1000) + 2, 20 * 60)] * 2


def test_under_a_plan_too_an_order_that_cannot_be_routed_gives_its_hold_back() -> None:
    event = planned(plan(), shanghai={"X": 1}).tell(order(X=2))[0]
    assert isinstance(event, RouteFailed)
    assert event.rule_version == "7"


def test_many_warehouses_are_not_searched_through_for_ever() -> None:
    stage = planned(plan())
    for number in range(64):
        name = f"w{number}"
        stage.tell(OpenWarehouse(at=MORNING, pool=POOL, warehouse=name, latitude=30 + number / 10, longitude=110))
        stage.tell(msgspec.structs.replace(STOCK, warehouse=name, units=units(**{f"S{number % 8}": 1, "X": 1})))
    event = stage.tell(msgspec.structs.replace(order(), units=units(X=1, **{f"S{number}": 1 for number in range(8)})))[
        0
    ]
    assert isinstance(event, OrderRouted)
    assert len(event.parts) == 8


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"warehouses": (PlannedWarehouse(name="w"), PlannedWarehouse(name="w"))}, "warehouses"),
        ({"wave_minutes": (600, 540)}, "wave_minutes"),
        ({"apart": ("fresh", "fresh")}, "apart"),
        ({"warehouses": (PlannedWarehouse(name="w", lanes=(Lane(province="浙江", parcel_minor=1),) * 2),)}, "lanes"),
    ],
)
def test_a_plan_that_makes_no_sense_says_where(wrong: dict[str, Any], field: str) -> None:
    assert field in problem(RoutingPlan(version="1", **wrong))
    assert not problem(RoutingPlan(version="1"))
