"""The promotion of a demo: from its options to what is sent, and what its special orders are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest import stock
from loadtest.hostile import hostile_records
from loadtest.plan import Plan, read_orders, shares_of, wanted
from loadtest.promotion.making import Promotion, Wish, promote
from loadtest.promotion.mix import mix_of
from loadtest.scenario import merge
from pipeline.desk.clock import now_ms

if TYPE_CHECKING:
    import argparse


def plan_promotion(options: argparse.Namespace, partitions: int) -> tuple[Plan, Promotion]:
    """Make the promotion of the options. Raises SettingsError when a number is no good."""
    orders, pools = read_orders(options)
    wish = Wish(mix_of(options), shares_of(options), options.rate, now_ms(), options.seed, partitions)
    made = promote(orders, pools, wish)
    seconds = options.orders / options.rate
    hostile = hostile_records(options.hostile, made.ordinary or orders, seconds, options.seed)
    scenario = merge(made.records, [record for record, _ in hostile], options.rate)
    stocked = [*made.stocked, *(order for _, order in hostile if order is not None)]
    demand = stock.demand(wanted(order, pools) for order in stocked)
    goods = stock.StockPlan(scarce_share=options.scarce_share)
    feed = [*stock.feed(demand, goods, options.seed, wish.begin_ms), *made.feed]
    return Plan(scenario, feed, pools, len(orders)), made
