"""A promotion's feeds and clock follow the orders that are decided, and not the wall clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from loadtest.counts import Counts
from loadtest.promotion.conducting import Conductor, Desk
from loadtest.promotion.feeds import Span
from loadtest.promotion.making import Promotion
from loadtest.scenario import TimedRecord
from loadtest.scraping import Scrape
from loadtest.watching import Moment

if TYPE_CHECKING:
    from collections.abc import Iterable

BEGIN_MS = 1_790_000_000_000
ORDERS = [TimedRecord(float(second), b"o", b"{}") for second in range(10)]


class Noted:
    """Notes what is fed, and which times are said."""

    def __init__(self) -> None:
        self.fed: list[bytes] = []
        self.ticks: list[int] = []

    def feed(self, records: Iterable[TimedRecord]) -> None:
        self.fed += [record.key for record in records]

    def tick(self, at: int) -> None:
        self.ticks.append(at - BEGIN_MS)


def conducting(orders: list[TimedRecord] = ORDERS) -> tuple[Conductor, Noted]:
    """Begin a promotion of ten seconds whose clock ends at 15, with something fed at its begin and at 6.5 s."""
    commands = [TimedRecord(0.0, b"limits", b""), TimedRecord(6.5, b"goods", b"")]
    promotion = Promotion(orders, commands, [], {}, [], [], "", Span(BEGIN_MS, 10.0, 15.0))
    desk = Noted()
    return Conductor(promotion, orders, cast("Desk", desk)), desk


def moment(received: int, at: float = 0.0, **lag: int) -> Moment:
    return Moment(at, Counts(0, received, 0, 0, 0, 0, 0), Scrape(lag, {}, {}))


def test_the_limits_are_set_before_the_first_order() -> None:
    assert conducting()[1].fed == [b"limits"]


def test_goods_come_when_the_orders_before_them_are_decided_however_long_that_takes() -> None:
    conductor, desk = conducting()
    conductor.follow(moment(9, at=100.0, dedup=2, reservation=1))
    assert (desk.fed, desk.ticks) == ([b"limits"], [6_000])
    conductor.follow(moment(9, at=101.0, dedup=1, reservation=1))
    assert (desk.fed, desk.ticks) == ([b"limits", b"goods"], [6_000, 7_000])


def test_time_does_not_go_back_nor_is_it_said_again() -> None:
    conductor, desk = conducting()
    for received in (5, 3, 5):
        conductor.follow(moment(received))
    assert desk.ticks == [5_000]


def test_when_all_is_decided_the_clock_goes_on_to_its_end() -> None:
    conductor, desk = conducting()
    for at in (50.0, 53.0, 56.0):
        assert not conductor.is_over
        conductor.follow(moment(10, at=at))
    assert (conductor.is_over, desk.ticks) == (True, [9_000, 12_000, 15_000])


def test_a_record_that_must_become_a_dead_letter_is_not_waited_for() -> None:
    conductor, _ = conducting([*ORDERS[:9], TimedRecord(9.0, b"h", None, expect="dead_letter")])
    conductor.follow(moment(9, at=50.0))
    conductor.follow(moment(9, at=57.0))
    assert conductor.is_over
