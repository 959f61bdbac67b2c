"""What users of such systems complain of most (one test each, with where it was told), and that it is not so here.

Those about expiry, partial cancellation, bundles and waiting orders are in `test_complaints_stock`.
"""

from __future__ import annotations

import random
from collections import Counter
from itertools import permutations
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pipeline.domain.commands import (
    AdjustStock,
    Answer,
    CallCarrier,
    CallKind,
    CancelHold,
    CancelOrder,
    ConsumeHold,
    IssueWaybill,
    PayOrder,
    PlaceHold,
    ReceiveStock,
    RecordAnswer,
    RegisterWarehouse,
    ReleaseHold,
)
from pipeline.domain.routing_commands import OpenWarehouse, RouteOrder, StockShelf
from pipeline.domain.rules.active import ACTIVE, ActiveRules, RulesActivated, RulesNoted, RulesRefused, SetRules, decide
from pipeline.domain.rules.book import Book, read_book
from pipeline.settings import ROOT
from tests.domain.folding import Folded, events, names, requests
from tests.domain.histories import fulfilment
from tests.domain.orders import NOON, POOL, SHIP_TO, order_id, submit, units, unpaid
from tests.domain.stages import folded

if TYPE_CHECKING:
    from pipeline.domain.commands import Command

BUYERS = 60
UNITS = 5
HOT_ORDERS = 5_000
BALANCE_BYTES_MAX = 64


def stocked(**counts: int) -> Folded:
    stage = folded("reservation")
    stage.tell(RegisterWarehouse(at=NOON, pool=POOL, feed_id="o", warehouse="w1", latitude=30, longitude=120))
    stage.tell(ReceiveStock(at=NOON, pool=POOL, feed_id="f", warehouse="w1", units=units(**counts)))
    return stage


def place(name: str, /, **counts: int) -> PlaceHold:
    return PlaceHold(at=NOON, pool=POOL, order_id=order_id(name), units=units(**counts), ship_to=SHIP_TO)


def consume(name: str, part: int = 1, /, **counts: int) -> ConsumeHold:
    key = order_id(name)
    return ConsumeHold(at=NOON, pool=POOL, order_id=key, fulfilment_id=f"{key}-{part}", units=units(**counts))


def release(name: str, part: int = 1, /, **counts: int) -> ReleaseHold:
    key, part_id = order_id(name), f"{order_id(name)}-{part}"
    return ReleaseHold(at=NOON, pool=POOL, order_id=key, fulfilment_id=part_id, units=units(**counts), reason="buyer")


def cancel(name: str) -> CancelHold:
    return CancelHold(at=NOON, pool=POOL, order_id=order_id(name), reason="buyer")


def balance(stage: Folded, sku: str = "X") -> tuple[int, int]:
    """Give a SKU's units on hand and held."""
    found = stage.state.stock[f"{POOL}|{sku}"]
    return found.on_hand, found.held


def outstanding(stage: Folded) -> Counter[str]:
    """Sum the units of all open holds."""
    total: Counter[str] = Counter()
    for hold in stage.state.holds.values():
        for unit in hold.units:
            total[unit.sku] += unit.units
    return total


@pytest.mark.parametrize("seed", range(5))
def test_01_oversell_under_concurrency(seed: int) -> None:
    """saleor#543, vendure#1738, magento2#25653: two buyers check, both act. Here the check is the act."""
    stage = stocked(X=UNITS)
    asked = [place(f"B{buyer}", X=1) for buyer in range(BUYERS)] * 2
    random.Random(seed).shuffle(asked)  # noqa: S311  a fixed order of arrival
    answers = [name for command in asked for name in names(stage.tell(command))]
    assert answers.count("HoldPlaced") == UNITS
    assert answers.count("HoldRefused") == BUYERS - UNITS
    assert balance(stage) == (UNITS, UNITS)


@pytest.mark.parametrize("seed", range(5))
def test_02_reserved_counter_drifts_or_goes_negative(seed: int) -> None:
    """medusa#12401, magento/inventory#3165, odoo#62139: repeats and late releases move the counter twice."""
    chance = random.Random(seed)  # noqa: S311  a fixed history
    stage = stocked(X=40, Y=40)
    for _ in range(400):
        name = f"O{chance.randrange(30)}"
        counts = {"X": chance.randrange(1, 4), "Y": chance.randrange(1, 4)}
        some = (place(name, **counts), consume(name, chance.randrange(1, 3), **counts), release(name, **counts))
        stage.tell(chance.choice((*some, cancel(name))))
        held = outstanding(stage)
        for sku in ("X", "Y"):
            on_hand, counted = balance(stage, sku)
            assert 0 <= counted == held[sku] <= on_hand


def test_03_two_lines_share_one_component() -> None:
    """medusa#16502, magento/inventory#1887: each line is checked alone, and together they oversell."""
    stage = folded("dedup")
    line = msgspec.structs.replace(submit("A", paid_minor=5).order.lines[0], quantity=3)
    second = msgspec.structs.replace(line, line_id="2", quantity=2)
    answers = stage.tell(submit("A", paid_minor=5, lines=(line, second)))
    (hold,) = [request for request in requests(answers) if isinstance(request, PlaceHold)]
    assert hold.units == units(X=5)
    (refused,) = stocked(X=4).tell(hold)
    assert refused.short == units(X=1)


def test_04_hot_sku_gets_slower_with_every_order() -> None:
    """In odoo#62131, woocommerce PR #64475; 92 % of the stuck orders of one flash sale. A hold writes 2 entries."""
    stage = stocked(X=2 * HOT_ORDERS)
    for number in range(HOT_ORDERS):
        stage.tell(place(f"H{number}", X=1))
    before = stage.tables()
    stage.tell(place("one more", X=1))
    after = stage.tables()
    written = [(table, key) for table, rows in after.items() for key in rows if before[table].get(key) != rows[key]]
    assert sorted(written) == [("holds", order_id("one more")), ("stock", f"{POOL}|X")]
    assert len(msgspec.msgpack.encode(stage.state.stock[f"{POOL}|X"])) <= BALANCE_BYTES_MAX


def test_05_two_orders_that_lock_each_others_skus_both_fail_or_both_pass() -> None:
    """In odoo PR #268942: SKIP LOCKED takes what another is about to take. Here one of the two gets all of it."""
    stage = stocked(X=1, Y=1)
    assert names(stage.tell(place("A", X=1, Y=1)))[0] == "HoldPlaced"
    assert names(stage.tell(place("B", Y=1, X=1))) == ["HoldRefused"]
    assert (balance(stage, "X"), balance(stage, "Y")) == ((1, 1), (1, 1))


def test_07_partial_failure_leaves_an_orphan_reservation() -> None:
    """medusa#16825, #16569: one line fails and the others stay reserved for nobody."""
    stage = stocked(X=5, Y=1)
    before = stage.state.stock[f"{POOL}|X"]
    assert names(stage.tell(place("A", X=5, Y=2))) == ["HoldRefused"]
    assert stage.state.stock[f"{POOL}|X"] == before
    assert outstanding(stage) == {}
    assert names(stage.tell(place("B", X=5))) == ["HoldPlaced", "RouteOrder"]


def test_08_cancel_restocks_twice_or_never() -> None:
    """PrestaShop#16869, EasyAbp/EShop#221, reaction#3678: a cancellation comes twice, or with a refund beside it."""
    stage = stocked(X=5)
    stage.tell(place("A", X=3))
    for _ in range(2):
        stage.tell(cancel("A"))
    told = [name for _ in range(3) for name in names(stage.tell(release("A", X=3)))]
    assert told.count("HoldReleased") == told.count("OrderCancelled") == 1
    assert balance(stage) == (5, 0)
    shipped = stocked(X=5)
    for command in (place("A", X=3), consume("A", X=3), cancel("A"), release("A", X=3)):
        shipped.tell(command)
    assert balance(shipped) == (2, 0), "what left is not put back by a cancellation"


def network(**shelves: int) -> Folded:
    stage = folded("routing")
    places = {"beijing": (39.9, 116.4), "shanghai": (31.2, 121.5)}
    for name, (north, east) in places.items():
        stage.tell(OpenWarehouse(at=NOON, pool=POOL, warehouse=name, latitude=north, longitude=east))
        stage.tell(StockShelf(at=NOON, pool=POOL, warehouse=name, units=units(X=shelves[name])))
    return stage


def test_10_split_over_warehouses_wrong_or_impossible() -> None:
    """vendure#3588, medusa PR #15327, solidus#583: no warehouse has all of it, so nothing ships, or too much does."""
    command = RouteOrder(at=NOON, pool=POOL, order_id=order_id("A"), units=units(X=5), ship_to=SHIP_TO)
    answers = network(beijing=3, shanghai=2).tell(command)
    issues = [one.fulfilment for one in requests(answers) if isinstance(one, IssueWaybill)]
    assert {(one.warehouse, one.units) for one in issues} == {("beijing", units(X=3)), ("shanghai", units(X=2))}
    assert len({one.fulfilment_id for one in issues}) == 2
    assert names(network(beijing=2, shanghai=2).tell(command))[0] == "RouteFailed"


def test_12_reserved_stock_blocks_its_own_shipment() -> None:
    """medusa#6500, erpnext#46540, #57159: nothing is available, so the order that holds it cannot ship either."""
    stage = stocked(X=3)
    stage.tell(place("A", X=3))
    assert names(stage.tell(place("B", X=1))) == ["HoldRefused"]
    assert names(stage.tell(consume("A", X=3)))[0] == "HoldConsumed"
    assert balance(stage) == (0, 0)


SHOWN = (
    unpaid("A", updated_at=NOON),
    PayOrder(at=NOON + 5, pool=POOL, order_id=order_id("A"), paid_minor=100),
    submit("A", updated_at=NOON + 9),
)


@pytest.mark.parametrize("arrival", list(permutations((*SHOWN, SHOWN[1]))))
def test_13_webhooks_missed_doubled_out_of_order(arrival: tuple[Command, ...]) -> None:
    """openlinker#904, frappe/ecommerce_integrations#425, nearmerch#214: paid before created, old after new."""
    stage = folded("dedup")
    answers = [answer for command in arrival for answer in stage.tell(command)]
    assert len([one for one in requests(answers) if isinstance(one, PlaceHold)]) == 1
    assert [name for name in names(answers) if name in {"OrderCreated", "OrderPaid"}] == ["OrderCreated", "OrderPaid"]
    assert stage.state.orders[order_id("A")].paid


def test_13_a_cancellation_before_its_order_is_not_lost() -> None:
    """The same, for the message that costs most when it is lost."""
    stage = folded("dedup")
    early = CancelOrder(at=NOON, pool=POOL, order_id=order_id("A"), reason="buyer")
    stage.tell(early)
    answers = stage.tell(submit("A"))
    assert [one for one in requests(answers) if isinstance(one, PlaceHold)] == []
    assert {"OrderCancelled", "RefundDue"} <= set(names(answers))


def test_14_a_lost_answer_prints_a_second_label() -> None:
    """openlinker#1947, amzn selling-partner-api#4651; Karrio has no key. Only proven absence allows another create."""
    key = f"{order_id('A')}-1"
    stage = folded("waybill")
    stage.tell(IssueWaybill(at=NOON, fulfilment_id=key, fulfilment=fulfilment(key), ship_to=SHIP_TO))
    kind, asked = CallKind.CREATE, []
    for answered in (Answer.UNKNOWN, Answer.UNKNOWN, Answer.ABSENT, Answer.UNKNOWN, Answer.OK):
        told = RecordAnswer(
            at=NOON, fulfilment_id=key, key=key, kind=kind, answer=answered, waybill_no="SF1" if kind else "", reason=""
        )
        calls = [one for one in requests(stage.tell(told)) if isinstance(one, CallCarrier)]
        asked += [(call.kind, call.key) for call in calls]
        kind = calls[0].kind if calls else kind
    query, create = (CallKind.QUERY, key), (CallKind.CREATE, key)
    assert asked == [query, query, create, query]
    assert stage.state.attempts[key].waybill_no == "SF1"


def test_15_nobody_knows_who_changed_stock() -> None:
    """magento/inventory#2344, nopCommerce#100, InvenTree#6530: a number changed, and no line says why."""
    stage = stocked(X=5)
    change = AdjustStock(
        at=NOON, pool=POOL, feed_id="count 7", warehouse="w1", sku="X", change_units=-2, reason="damaged"
    )
    (adjusted,) = events(stage.tell(change))
    told: dict[str, Any] = msgspec.to_builtins(adjusted)
    assert (told["feed_id"], told["warehouse"], told["change_units"], told["reason"]) == (
        "count 7",
        "w1",
        -2,
        "damaged",
    )
    assert names(stage.tell(change)) == ["StockFeedRepeated"]
    assert balance(stage) == (3, 0)


def test_15_nobody_knows_who_changed_a_rule() -> None:
    """One merchant oversold 27 orders in 3 days after one rule node was deleted: here a gate needs two people."""
    shipped = read_book((ROOT / "pipeline" / "rules" / "examples.json").read_bytes())
    table: dict[str, ActiveRules] = {}

    def change(version: int, book: Book, approver: str = "") -> Any:  # noqa: ANN401  an event
        command = SetRules(at=NOON, version=version, book=book, author="lin", approver=approver, note="sale")
        answer, *noted = decide(table.get(ACTIVE), command)
        for note in noted:
            assert isinstance(note, RulesNoted)
            table[ACTIVE] = ActiveRules(note.version, note.document)
        return answer

    bare = msgspec.structs.replace(shipped, rules=shipped.rules[:-1])
    assert isinstance(change(1, shipped), RulesActivated)
    assert isinstance(change(2, bare), RulesRefused)
    assert table[ACTIVE].version == 1
    activated = change(2, bare, approver="wang")
    assert (activated.author, activated.approver, activated.note, activated.from_state) == ("lin", "wang", "sale", "1")
