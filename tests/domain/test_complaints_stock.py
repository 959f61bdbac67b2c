"""What users of such systems complain of most, where it is about holds that expire, shrink, wait, or are of bundles."""

from __future__ import annotations

from pipeline.domain.events import RefundDue
from tests.domain.folding import names, requests
from tests.domain.orders import NOON, order_id, units
from tests.domain.stock import (
    MINUTE_MS,
    announce,
    balance,
    confirm,
    consume,
    define,
    hold_state,
    patient,
    place,
    presale,
    receive,
    stocked,
    tell_all,
    tentative,
    tick,
    trim,
)


def test_03_a_bundle_and_a_line_share_one_component() -> None:
    """medusa#16502, PR #11403: the bundle's parts are counted apart from the line beside it."""
    stage = stocked(X=5)
    stage.tell(define("SET", X=2))
    assert names(stage.tell(place("A", SET=2, X=2))) == ["HoldRefused"]
    assert balance(stage) == (5, 0)
    assert names(stage.tell(place("B", SET=2, X=1)))[0] == "HoldPlaced"
    assert balance(stage) == (5, 5)


def test_06_a_buyers_own_hold_blocks_the_buyer() -> None:
    """woocommerce#67354: the retry of a payment finds the stock taken, by the first try."""
    stage = stocked(X=1)
    assert names(stage.tell(tentative("A", X=1))) == ["HoldPlaced"]
    assert names(stage.tell(tentative("A", X=1))) == ["HoldRepeated"]
    assert names(stage.tell(confirm("A"))) == ["HoldConfirmed", "RouteOrder"]


def test_06_a_hold_that_nobody_pays_is_kept_for_ever() -> None:
    """woocommerce#67751: units are hoarded by orders that nobody pays; commercetools: expiry lags by minutes."""
    stage = stocked(X=1)
    stage.tell(tentative("A", minutes=30, X=1))
    assert names(stage.tell(tick(30))) == ["HoldExpired"]
    assert names(stage.tell(place("B", X=1)))[0] == "HoldPlaced"


def test_06_a_late_payment_ends_as_paid_without_stock() -> None:
    """dujiao-next#105: the hold expired, the payment came, and nobody ships or pays back."""
    there = stocked(X=1)
    tell_all(there, tentative("A", X=1), tick(30))
    assert names(there.tell(confirm("A", at=NOON + 31 * MINUTE_MS))) == ["HoldRegained", "RouteOrder"]
    gone = stocked(X=1)
    tell_all(gone, tentative("A", X=1), tick(30), place("B", X=1))
    (refund,) = gone.tell(confirm("A", at=NOON + 31 * MINUTE_MS))
    assert isinstance(refund, RefundDue)
    assert balance(gone) == (1, 1)


def test_09_a_partial_cancellation_loses_the_rest_of_the_reservation() -> None:
    """medusa#11703, #13076, magento/inventory#404: one line is cancelled, and the hold of all is gone."""
    stage = stocked(X=5, Y=5)
    tell_all(stage, tentative("A", X=3, Y=2))
    assert names(stage.tell(trim("A", X=1))) == ["HoldTrimmed"]
    assert (balance(stage), balance(stage, sku="Y")) == ((5, 2), (5, 2))
    assert names(stage.tell(trim("A", X=1))) == ["HoldRepeated"]
    (route,) = requests(stage.tell(confirm("A")))
    assert route.units == units(X=2, Y=2)  # type: ignore[attr-defined]


def test_09_a_partial_shipment_loses_the_rest_of_the_reservation() -> None:
    """medusa#12447, magento/inventory#1887: a part ships, and the rest of the order holds nothing any more."""
    stage = stocked(X=5)
    tell_all(stage, place("A", X=3), consume("A", X=1))
    assert balance(stage) == (4, 2)
    assert stage.state.holds[order_id("A")].units == units(X=2)


def test_11_a_split_flips_backorder_and_on_hand() -> None:
    """solidus#5669, #6319, spree#8596: what was on hand becomes a backorder, and goes to somebody else."""
    stage = stocked(X=1)
    stage.tell(patient("A", X=3))
    assert (balance(stage), hold_state(stage, "A")) == ((1, 1), "waiting")
    assert names(stage.tell(place("B", X=1))) == ["HoldRefused"]
    answers = stage.tell(receive("f2", X=1))
    assert "HoldFilled" in names(answers)
    assert (balance(stage), hold_state(stage, "A")) == ((2, 2), "waiting")
    answers = stage.tell(receive("f3", X=5))
    assert names(answers)[-1] == "RouteOrder"
    assert (balance(stage), hold_state(stage, "A")) == ((7, 3), "locked")


def test_11_presale_orders_starve_those_from_stock() -> None:
    """One merchant had no pool for presale: orders for goods to come took those that were there."""
    stage = stocked(X=1)
    tell_all(stage, announce(X=5), presale("P", X=3))
    assert balance(stage) == (1, 0)
    assert names(stage.tell(place("A", X=1)))[0] == "HoldPlaced"
