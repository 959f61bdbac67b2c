"""A flash sale with a limit for each buyer: nobody hoards, and what is remembered of it dies with the sale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.domain.orders import SubPool
from tests.domain.folding import names
from tests.domain.orders import NOON, units
from tests.domain.stock import (
    MINUTE_MS,
    balance,
    cancel,
    confirm,
    flash,
    open_flash,
    stocked,
    tell_all,
    tick,
    with_terms,
)

if TYPE_CHECKING:
    from pipeline.domain.commands import PlaceHold
    from tests.domain.folding import Folded


def sale(per_buyer: int) -> Folded:
    stage = stocked(X=100)
    stage.tell(msgspec.structs.replace(open_flash(50), per_buyer_max=per_buyer))
    return stage


def bought(name: str, buyer: str, count: int = 1) -> PlaceHold:
    return with_terms(flash(name, X=count), buyer=buyer)


def test_a_buyer_gets_as_many_as_one_may_have_in_one_order_or_in_several() -> None:
    stage = sale(3)
    assert names(stage.tell(bought("A", "ann", 2)))[0] == "HoldPlaced"
    refused = stage.tell(bought("B", "ann", 2))[0]
    assert (refused.reason, refused.short) == ("TOO_MANY_FOR_ONE_BUYER", units(X=1))
    assert names(stage.tell(bought("C", "ann")))[0] == "HoldPlaced"
    assert names(stage.tell(bought("D", "bob", 3)))[0] == "HoldPlaced"
    assert balance(stage, SubPool.FLASH) == (50, 6)


def test_what_was_given_back_counts_so_that_nobody_hoards() -> None:
    stage = sale(1)
    tell_all(stage, with_terms(bought("A", "ann"), expires_at=NOON + 5 * MINUTE_MS), cancel("A"))
    assert stage.tell(bought("B", "ann"))[0].reason == "TOO_MANY_FOR_ONE_BUYER"


def test_a_payment_that_comes_late_does_not_count_twice() -> None:
    stage = sale(1)
    tell_all(stage, with_terms(bought("A", "ann"), expires_at=NOON + 5 * MINUTE_MS), tick(5))
    assert names(stage.tell(confirm("A", at=NOON + 6 * MINUTE_MS)))[0] == "HoldRegained"


def test_those_without_a_token_count_as_one_buyer() -> None:
    stage = sale(1)
    stage.tell(flash("A", X=1))
    assert stage.tell(flash("B", X=1))[0].reason == "TOO_MANY_FOR_ONE_BUYER"


def test_without_a_limit_nothing_is_remembered_of_buyers_and_with_one_no_longer_than_the_sale() -> None:
    stage = sale(0)
    stage.tell(bought("A", "ann", 9))
    assert stage.state.flash_buyers == {}
    stage = sale(2)
    tell_all(stage, bought("A", "ann"), bought("B", "bob"))
    assert len(stage.state.flash_buyers) == 2
    stage.tell(tick(60))
    assert stage.state.flash_buyers == {}
