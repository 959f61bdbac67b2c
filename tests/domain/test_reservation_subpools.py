"""Sub-pools: flash sales, safety stock, goods in transit, bundles; nothing is in two of them at once."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.domain.orders import SubPool
from pipeline.domain.stock_commands import CloseInbound
from tests.domain.folding import names, requests
from tests.domain.orders import NOON, POOL, units
from tests.domain.stock import (
    MINUTE_MS,
    announce,
    balance,
    cancel,
    consume,
    define,
    flash,
    open_flash,
    patient,
    place,
    presale,
    receive,
    release,
    stocked,
    tell_all,
    tentative,
    tick,
    transfer,
    trim,
    with_terms,
)

FLASH, SAFETY, STOCK, PRESALE = SubPool.FLASH, SubPool.SAFETY, SubPool.STOCK, SubPool.PRESALE


def close(feed_id: str = "close") -> CloseInbound:
    return CloseInbound(at=NOON, pool=POOL, feed_id=feed_id, inbound_id="i1")


def test_a_transfer_takes_from_one_sub_pool_what_it_gives_to_the_other_once() -> None:
    stage = stocked(X=10)
    assert names(stage.tell(transfer("s1", 4, STOCK, SAFETY))) == ["StockTransferred"]
    assert names(stage.tell(transfer("s1", 4, STOCK, SAFETY))) == ["StockFeedRepeated"]
    assert (balance(stage), balance(stage, SAFETY)) == ((6, 0), (4, 0))
    assert stage.tell(place("A", X=7))[0].reason == "SHORTAGE"


@pytest.mark.parametrize(
    ("count", "from_pool", "to_pool", "reason"),
    [
        (6, STOCK, SAFETY, "NOT_FREE"),
        (1, SAFETY, STOCK, "NOT_FREE"),
        (1, STOCK, STOCK, "NO_TRANSFER"),
        (1, STOCK, PRESALE, "NO_TRANSFER"),
        (1, STOCK, FLASH, "FLASH_CLOSED"),
    ],
)
def test_a_transfer_of_what_is_not_free_or_must_not_be_is_refused(
    count: int, from_pool: SubPool, to_pool: SubPool, reason: str
) -> None:
    stage = stocked(X=7)
    stage.tell(place("A", X=2))
    (refused,) = stage.tell(transfer("s1", count, from_pool, to_pool))
    assert (refused.reason, refused.sku, balance(stage)) == (reason, "X", (7, 2))


def test_a_flash_sale_sells_what_was_set_aside_and_no_more() -> None:
    stage = stocked(X=10)
    stage.tell(open_flash(3))
    assert (balance(stage), balance(stage, FLASH)) == ((7, 0), (3, 0))
    assert names(stage.tell(flash("A", X=3))) == ["HoldPlaced", "RouteOrder"]
    assert stage.tell(flash("B", X=1))[0].reason == "SHORTAGE"
    assert names(stage.tell(place("C", X=7)))[0] == "HoldPlaced", "others buy from what is in stock"
    assert (balance(stage), balance(stage, FLASH)) == ((7, 7), (3, 3))


def test_what_is_left_goes_back_by_itself_and_who_waits_gets_it() -> None:
    stage = stocked(X=10)
    tell_all(stage, open_flash(10, minutes=60), flash("A", X=4), patient("B", X=8))
    assert names(stage.tell(tick(59))) == ["HoldOverdue"], "B waits for longer than it may, and nothing else is due"
    assert names(stage.tell(tick(60))) == ["FlashClosed", "HoldFilled"]
    assert (balance(stage), balance(stage, FLASH)) == ((6, 6), (4, 4))


def test_what_comes_back_after_the_end_goes_on_to_stock() -> None:
    stage = stocked(X=10)
    tell_all(stage, open_flash(10, minutes=60), flash("A", X=4), tick(60))
    assert names(stage.tell(release("A", X=4))) == ["HoldReleased", "SettleAllocation", "StockTransferred"]
    assert (balance(stage), balance(stage, FLASH)) == ((10, 0), (0, 0))


def test_and_before_the_end_to_the_flash_sale() -> None:
    stage = stocked(X=10)
    tell_all(stage, open_flash(4), flash("A", X=4), release("A", X=4))
    assert names(stage.tell(flash("B", X=4)))[0] == "HoldPlaced"


def test_unpaid_flash_orders_that_expire_with_the_sale_go_back_with_it() -> None:
    stage = stocked(X=10)
    tell_all(stage, open_flash(4, minutes=30), with_terms(flash("A", X=3), expires_at=NOON + 30 * MINUTE_MS))
    closed = stage.tell(tick(30))
    assert names(closed) == ["HoldExpired", "FlashClosed"]
    assert (closed[1].units, balance(stage), balance(stage, FLASH)) == (4, (10, 0), (0, 0))


def test_and_after_it_too() -> None:
    stage = stocked(X=10)
    tell_all(stage, open_flash(4, minutes=30), with_terms(flash("A", X=3), expires_at=NOON + 60 * MINUTE_MS), tick(30))
    assert names(stage.tell(tick(60))) == ["HoldExpired", "StockTransferred"]
    assert (balance(stage), balance(stage, FLASH)) == ((10, 0), (0, 0))


@pytest.mark.parametrize("minutes", [-1, 5, 60])
def test_a_flash_sale_is_on_from_its_time_to_its_time_whether_or_not_a_tick_came(minutes: int) -> None:
    stage = stocked(X=10)
    stage.tell(open_flash(4, opens_in=10, minutes=60))
    assert stage.tell(flash("A", at=NOON + minutes * MINUTE_MS, X=1))[0].reason == "FLASH_CLOSED"
    assert names(stage.tell(flash("B", at=NOON + 10 * MINUTE_MS, X=1)))[0] == "HoldPlaced"


def test_what_was_sold_in_a_flash_sale_leaves_its_pool() -> None:
    stage = stocked(X=10)
    tell_all(stage, open_flash(4), flash("A", X=3), consume("A", X=3))
    assert (balance(stage), balance(stage, FLASH)) == ((6, 0), (1, 0))


def test_a_part_of_an_unpaid_flash_order_goes_back_to_the_sale() -> None:
    stage = stocked(X=10)
    tell_all(stage, open_flash(4), with_terms(flash("A", X=3), expires_at=NOON + MINUTE_MS), trim("A", X=1))
    assert balance(stage, FLASH) == (4, 2)


def test_a_flash_sale_that_makes_no_sense_is_refused() -> None:
    stage = stocked(X=10)
    assert stage.tell(open_flash(11, "too many"))[0].reason == "NOT_FREE"
    assert stage.tell(open_flash(1, "over", minutes=0))[0].reason == "FLASH_OVER"
    stage.tell(open_flash(1, "on"))
    assert stage.tell(open_flash(1, "second"))[0].reason == "FLASH_OPEN"
    assert names(stage.tell(open_flash(1, "on"))) == ["StockFeedRepeated"]


def test_a_sku_cannot_be_named_like_a_sub_pool() -> None:
    stage = stocked(X=10)
    stage.tell(open_flash(4))
    assert stage.tell(place("A", **{"X|flash": 1, "flash|X": 1}))[0].reason == "UNKNOWN_SKU"


def test_an_announcement_that_makes_no_sense_is_refused() -> None:
    stage = stocked(X=1)
    assert stage.tell(announce("i0", X=0))[0].reason == "NOT_POSITIVE"
    stage.tell(announce("i1", X=1))
    again = msgspec.structs.replace(announce("i1", X=1), feed_id="again")
    assert stage.tell(again)[0].reason == "KNOWN_INBOUND"
    assert stage.tell(receive("f2", "i9", X=1))[0].reason == "UNKNOWN_INBOUND"


def test_what_will_not_come_is_no_longer_sold_unless_it_is_promised() -> None:
    stage = stocked(X=1)
    tell_all(stage, announce(X=4), presale("A", X=2))
    assert stage.tell(close())[0].reason == "WOULD_TAKE_HELD_UNITS"
    stage.tell(cancel("A"))
    assert names(stage.tell(close("again"))) == ["InboundClosed"]
    assert (balance(stage, PRESALE), stage.state.in_transit[f"{POOL}|X"]) == ((0, 0), 0)


def test_bundles_are_taken_apart_and_summed_before_the_check() -> None:
    stage = stocked(X=5, Y=5)
    tell_all(stage, define("B", X=2, Y=1), define("C", "b2", X=1))
    refused = stage.tell(place("A", B=2, C=1, X=1))[0]
    assert (refused.reason, refused.short) == ("SHORTAGE", units(X=1)), "2x2 + 1 + 1 of X, of which there are 5"
    answers = stage.tell(place("D", B=2, C=1))
    assert requests(answers)[0].units == units(X=5, Y=2)  # type: ignore[attr-defined]
    assert (balance(stage), balance(stage, sku="Y")) == ((5, 5), (5, 2))


def test_a_bundle_may_be_cut_out_of_an_order() -> None:
    stage = stocked(X=5, Y=5)
    tell_all(stage, define("B", X=2), with_terms(place("A", B=2, Y=1), expires_at=NOON + MINUTE_MS), trim("A", B=1))
    assert balance(stage) == (5, 2)


def test_a_bundle_is_made_of_skus_and_may_be_one_again() -> None:
    stage = stocked(X=5)
    stage.tell(define("B", X=2))
    assert stage.tell(define("C", "b2", B=1))[0].reason == "NESTED_BUNDLE"
    assert stage.tell(define("C", "b3", C=1))[0].reason == "NESTED_BUNDLE"
    assert stage.tell(define("C", "b4", X=0))[0].reason == "NOT_POSITIVE"
    stage.tell(define("B", "b5"))
    assert stage.tell(place("A", B=1))[0].reason == "UNKNOWN_SKU"


def test_an_unpaid_bundle_is_routed_taken_apart() -> None:
    stage = stocked(X=5)
    tell_all(stage, define("B", X=2), tentative("A", B=2))
    assert balance(stage) == (5, 4)


@pytest.mark.parametrize(("count", "buyers"), [(5_000, 20_000)])
def test_of_20000_buyers_exactly_as_many_get_one_as_there_are(count: int, buyers: int) -> None:
    stage = stocked(X=count + 100)
    stage.tell(open_flash(count))
    outcomes = [type(stage.tell(flash(str(buyer), X=1))[0]).__name__ for buyer in range(buyers)]
    assert (outcomes.count("HoldPlaced"), outcomes.count("HoldRefused")) == (count, buyers - count)
    assert (balance(stage), balance(stage, FLASH)) == ((100, 0), (count, count))
    stage.tell(tick(60))
    assert (balance(stage), balance(stage, FLASH)) == ((100, 0), (count, count))
