"""Orders through all stages, cancelled at every point, with a carrier that misbehaves: what goes in comes out."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.commands import CancelFulfilment, Command, ReceiveStock, RegisterWarehouse, Tick
from pipeline.domain.dedup.state import RefundEvent, ReviewEvent, RulesEvent
from pipeline.domain.dedup.values import Standing
from pipeline.domain.events import Event
from pipeline.domain.network_commands import SetRoutingPlan, WithdrawWarehouse
from pipeline.domain.orders import SkuUnits
from pipeline.domain.routing.plan import RoutingPlan
from pipeline.domain.stock_events import StockEvent
from pipeline.domain.tracking.state import Status
from pipeline.domain.waybill.state import AttemptState
from pipeline.topics import DAY_MS, ORDERS_RAW, ROUTING_COMMANDS, STOCK_COMMANDS, WAYBILL_COMMANDS
from tests.agents.flow import Carrier, Flow
from tests.domain.invariants import check_invariants
from tests.domain.orders import NOON, order_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.topics import Topic

SHOP = "s1"
SKUS = ("X", "Y", "Z")
RECEIVED = {("w1", "X"): 8, ("w1", "Y"): 3, ("w2", "X"): 4, ("w2", "Y"): 6, ("w2", "Z"): 5}
NOT_IN_THESE_FLOWS = {
    *("OrderHeldForReview", "RouteFailed"),
    *("StockAdjusted", "StockFeedRefused", "StockFeedRepeated", "HoldRegained"),
    *(event.__name__ for event in get_args(StockEvent)),
    *("ProductsNoted", "RouteExpedited", "AddressChangeRefused", "ItemScanned", "ScanMismatched", "PartScannedOut"),
    *(event.__name__ for event in (*get_args(ReviewEvent), *get_args(RefundEvent), *get_args(RulesEvent))),
    *("OrderReleased", "OrderRuleMatched", "OrderUnpaidTooLong", "OrderPolicySet"),
    *("ShelfCounted", "CountSettled", "ShipmentSilent"),
    *("OrderChanged", "OrderChangeRefused", "OrderExpedited", "OrderTrimmed"),
}
"""The events that the stages' own tests bring about."""
PLAN = RoutingPlan(version="1", wave_minutes=(0,))
MORE = (SkuUnits("X", 9), SkuUnits("Y", 9))
"""What comes later, so that another warehouse can take over."""
PLACES = {"w1": (30.0, 120.0), "w2": (40.0, 116.0)}


def message(kind: str, name: str, **fields: Any) -> bytes:  # noqa: ANN401  the fields of generic-json
    return msgspec.json.encode({"type": kind, "channel": "web", "shop_id": SHOP, "order_id": name, **fields})


def order_message(name: str, units: dict[str, int], *, paid: bool) -> bytes:
    lines = [{"line_id": sku, "sku": sku, "quantity": count, "unit_price_minor": 5} for sku, count in units.items()]
    return message(
        "order",
        name,
        status="paid" if paid else "unpaid",
        created_at=NOON,
        buyer_id=name,
        receiver_key=name,
        province="北京市",
        paid_minor=5 if paid else 0,
        lines=lines,
    )


def feed() -> list[tuple[Topic, Command]]:
    opened: list[Command] = [
        RegisterWarehouse(at=1, pool=SHOP, feed_id=name, warehouse=name, latitude=north, longitude=east)
        for name, (north, east) in PLACES.items()
    ]
    received: list[Command] = [
        ReceiveStock(at=1, pool=SHOP, feed_id=f"{name}-{sku}", warehouse=name, units=(SkuUnits(sku, count),))
        for (name, sku), count in RECEIVED.items()
    ]
    return [(STOCK_COMMANDS, command) for command in (*opened, *received)]


Orders = dict[str, tuple[dict[str, int], str, int | None]]
"""Each order: its units by SKU, its way, and after how many steps it is cancelled, if it is."""
orders: st.SearchStrategy[Orders] = st.dictionaries(
    st.sampled_from("ABCDEFGH"),
    st.tuples(
        st.dictionaries(st.sampled_from(SKUS), st.integers(1, 4), min_size=1),
        st.sampled_from(("paid", "paid", "twice", "pays later", "pays first", "cancels first")),
        st.one_of(st.none(), st.integers(0, 60)),
    ),
    min_size=1,
)


def send_order(flow: Flow, name: str, units: dict[str, int], way: str) -> None:
    payment = message("payment", name, at=NOON + 1, paid_minor=5)
    shown = order_message(name, units, paid=way in {"paid", "twice"})
    before = {"pays first": payment, "cancels first": message("cancellation", name, at=NOON + 1, reason="buyer")}
    after = {"twice": shown, "pays later": payment}
    for record in (before.get(way), shown, after.get(way)):
        if record is not None:
            flow.send(ORDERS_RAW, record)


def cancel(flow: Flow, name: str) -> None:
    flow.send(ORDERS_RAW, message("cancellation", name, at=NOON + 2, reason="buyer"))


@given(
    orders=orders,
    seed=st.integers(0, 2**32),
    trouble=st.sampled_from((0.0, 0.3, 0.6)),
    refuse=st.sampled_from((0.0, 0.3)),
)
@settings(max_examples=150, deadline=None)
def test_what_came_in_is_shipped_or_still_there(orders: Orders, seed: int, trouble: float, refuse: float) -> None:
    flow = new_flow(seed, trouble, refuse)
    for name, (units, way, cancelled_after) in orders.items():
        send_order(flow, name, units, way)
        if cancelled_after is not None:
            flow.run(cancelled_after)
            cancel(flow, name)
    flow.run()
    check_end(flow, orders)


def move_about(flow: Flow, way: int, chance: random.Random) -> None:
    """Let a pool with a plan close a warehouse, let time pass, and open it again, while its orders are on their way."""
    closed, opened = (("w1", "w2"), ("w2", "w1"))[way % 2]
    flow.send(STOCK_COMMANDS, ReceiveStock(at=1, pool=SHOP, feed_id="more", warehouse=opened, units=MORE))
    flow.run(chance.randint(0, 60))
    for number, name in enumerate((closed, opened)):
        feed_id = f"close-{number}"
        flow.send(STOCK_COMMANDS, WithdrawWarehouse(at=2, pool=SHOP, feed_id=feed_id, warehouse=name, reason="flood"))
        for day in range(3):
            flow.run(chance.randint(0, 30))
            flow.send(ROUTING_COMMANDS, Tick(at=NOON + day * DAY_MS))
        north, east = PLACES[name]
        again = RegisterWarehouse(
            at=3, pool=SHOP, feed_id=f"open-{number}", warehouse=name, latitude=north, longitude=east
        )
        flow.send(STOCK_COMMANDS, again)


def planned_flow(seed: int, trouble: float, refuse: float, cancelled: set[str]) -> Flow:
    """Let four orders through a pool with a plan, of which either warehouse is closed for a while."""
    flow = new_flow(seed, trouble, refuse)
    chance = random.Random(seed)  # noqa: S311  a choice to repeat, not a secret
    flow.send(STOCK_COMMANDS, SetRoutingPlan(at=1, pool=SHOP, feed_id="plan", plan=PLAN))
    flow.run()
    for number, name in enumerate("ABCD"):
        send_order(flow, name, {SKUS[number % 2]: 2 + number % 2}, "paid")
    move_about(flow, seed, chance)
    for name in sorted(cancelled):
        flow.run(chance.randint(0, 20))
        cancel(flow, name)
    flow.run()
    return flow


@given(
    seed=st.integers(0, 2**32),
    trouble=st.sampled_from((0.0, 0.3, 0.6)),
    refuse=st.sampled_from((0.0, 0.3)),
    cancelled=st.sets(st.sampled_from("ABCD")),
)
@settings(max_examples=100, deadline=None)
def test_parts_that_are_sent_again_ship_once_or_come_back(
    seed: int, trouble: float, refuse: float, cancelled: set[str]
) -> None:
    flow = planned_flow(seed, trouble, refuse, cancelled)
    check_end(flow, "ABCD", MORE)
    assert not flow.state("routing").floor
    assert not flow.state("routing").addresses
    assert not flow.state("routing").moves
    assert not flow.state("waybill").stops


def test_the_flows_above_take_every_way_there_is() -> None:
    """Guard the tests themselves: a way that no flow takes is one that they say nothing about."""
    ways = ("paid", "twice", "pays later", "pays first", "cancels first")
    taken: Counter[str] = Counter()
    for seed in range(150):
        flow = new_flow(seed, 0.5, 0.2)
        for number, name in enumerate("ABCDEFGH"):
            units = {SKUS[(seed + number) % 3]: 1 + number % 4, "Q" if seed + number == 50 else "X": 3}
            send_order(flow, name, units, ways[(seed + number) % 5])
            flow.run((seed * 7 + number * 11) % 60)
            if number % 2:
                cancel(flow, name)
        flow.run()
        flows = [flow] if seed % 5 else [flow, planned_flow(seed, 0.5, 0.0, {"A"})]
        taken.update(type(fact).__name__ for one in flows for folded in one.folded.values() for fact in folded.facts)
    never = {event.__name__ for event in subclasses(Event) if event.__module__.startswith("pipeline.")} - set(taken)
    assert never == NOT_IN_THESE_FLOWS


def subclasses(base: type) -> set[type]:
    children: list[type] = base.__subclasses__()
    return {kind for child in children for kind in (child, *subclasses(child))}


def new_flow(seed: int, trouble: float, refuse: float) -> Flow:
    chance = random.Random(seed)  # noqa: S311  a choice to repeat, not a secret
    flow = Flow(chance, Carrier(chance, trouble, refuse))
    for topic, command in feed():
        flow.send(topic, command)
    flow.run()
    return flow


def check_end(flow: Flow, orders: Iterable[str], more: tuple[SkuUnits, ...] = ()) -> None:
    for folded in flow.folded.values():
        check_invariants(folded)
    settle_by_hand(flow)
    check_conservation(flow, more)
    check_outcomes(flow, orders)


def settle_by_hand(flow: Flow) -> None:
    """Do what a person does with what is left to one: cancel it, with a carrier that answers."""
    flow.carrier.trouble_share = 0.0
    for name in "ABCDEFGH":
        if any(key.startswith(order_id(name)) for key in manual(flow)):
            cancel(flow, name)
    flow.run()
    for key, attempt in manual(flow).items():
        # Its order was cancelled before: only the carrier's part of it is left.
        stop = CancelFulfilment(at=NOON, fulfilment_id=key, fulfilment=attempt.fulfilment, reason="by hand")
        flow.send(WAYBILL_COMMANDS, stop)
    flow.run()


def manual(flow: Flow) -> dict[str, Any]:
    """Give the attempts that wait for a person."""
    attempts = flow.state("waybill").attempts
    return {key: attempt for key, attempt in attempts.items() if attempt.state is AttemptState.MANUAL}


def check_conservation(flow: Flow, more: tuple[SkuUnits, ...]) -> None:
    """On hand is what was received less what the carrier took; nothing is held, nothing is allocated."""
    shipped: Counter[str] = Counter()
    for parcel in flow.carrier.book.values():
        if parcel.collected:
            shipped.update({unit.sku: unit.units for unit in parcel.units})
    received = Counter({unit.sku: unit.units for unit in more})
    for (_, sku), count in RECEIVED.items():
        received[sku] += count
    for key, balance in flow.state("reservation").stock.items():
        sku = key.partition("|")[2]
        assert balance.on_hand == received[sku] - shipped[sku], key
        assert balance.held == 0, key
    on_shelves: Counter[str] = Counter()
    for key, shelf in flow.state("routing").shelves.items():
        sku = key.rpartition("|")[2]
        on_shelves[sku] += shelf.on_hand
        assert shelf.allocated == 0, key
    assert on_shelves == received - shipped


def check_outcomes(flow: Flow, orders: Iterable[str]) -> None:
    """Every order has one outcome, and a parcel that arrived was not cancelled."""
    seen = flow.state("dedup").orders
    holds = flow.state("reservation").holds
    attempts = flow.state("waybill").attempts
    shipments = flow.state("tracking").shipments
    for name in orders:
        standing = seen[order_id(name)].standing
        if standing in {Standing.PAID, Standing.CANCEL_REQUESTED}:
            assert not holds[order_id(name)].units
    for key, parcel in flow.carrier.book.items():
        assert attempts[key].state in {AttemptState.ISSUED, AttemptState.COLLECTED, AttemptState.CANCELLED}
        assert shipments[key].status is (Status.STOPPED if parcel.voided else Status.SIGNED)


@pytest.mark.parametrize("steps", range(40))
def test_a_cancellation_at_any_point_ends_in_a_release_or_a_parcel(steps: int) -> None:
    flow = new_flow(steps, 0.3, 0.0)
    send_order(flow, "A", {"X": 10, "Y": 5}, "paid")
    flow.run(steps)
    cancel(flow, "A")
    flow.run()
    check_end(flow, "A")
    assert len(flow.state("routing").routes) == 1
