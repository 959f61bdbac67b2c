"""From a profile to what a run needs: its records, the stock that is there, and the shops' pools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest import stock
from loadtest.plan import Plan
from loadtest.profiles.arrival import times
from loadtest.profiles.goods import arrive, read_baskets
from loadtest.scenario import Scenario, schedule_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadtest.profiles.goods import Arrived
    from loadtest.profiles.shape import Profile


def make_plan(profile: Profile, seed: int, begin_ms: int) -> Plan:
    """Make a profile's plan; `begin_ms` (ms UTC) is the time of its first order. Raises SetupError.

    Orders are made anew each time that they are gone through: those of a long load would take gigabytes.
    """
    due = list(times(profile.phases, seed=seed, independent=profile.random_arrivals))
    journey = read_baskets(len(due), seed)

    def arrived() -> Iterator[Arrived]:
        return arrive(due, journey, profile.goods, begin_ms, seed)

    records = schedule_at(((one.at_seconds, one.order) for one in arrived()), seed, profile.mix.shares())
    wanted = stock.demand(_wanted(arrived, profile, journey.pools))
    feed = stock.feed(wanted, stock.StockPlan(scarce_share=profile.goods.scarce_share), seed, begin_ms)
    return Plan(Scenario(records, len(due) / profile.seconds), list(feed), journey.pools, len(due))


def _wanted(
    arrived: Callable[[], Iterator[Arrived]], profile: Profile, pools: dict[str, str]
) -> Iterator[stock.Wanted]:
    """Say what the orders ask for; of the hot ones only as many as there is to be stock for."""
    hot = sum(one.is_hot for one in arrived()) if profile.goods.hot_share else 0
    stocked = hot * profile.goods.hot_stock_share
    for one in arrived():
        if one.is_hot:
            stocked -= 1
        if not one.is_hot or stocked >= 0:
            order = one.order
            units = [(line.sku, line.quantity) for line in order.lines]
            yield stock.Wanted(pools[order.shop_id], order.buyer, units)
