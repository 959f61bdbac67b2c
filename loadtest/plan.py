"""The plan of a run: from the options to the records that are sent, the stock that is there, and the shops' pools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from loadtest import stock
from loadtest.hostile import hostile_records
from loadtest.invoices import POOL, SHOP, read_invoices, schedule_invoices
from loadtest.journey import Journey, read_journey
from loadtest.options import rate, share
from loadtest.order_size import cut_orders, order_size
from loadtest.scenario import Scenario, Shares, merge, schedule
from pipeline.domain.commands import ReceiveStock
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from loadtest.journey import ShopOrder
    from loadtest.promotion.feeds import Feed
    from pipeline.domain.commands import RegisterWarehouse


class Plan(NamedTuple):
    """What a run needs. `pools` is the shop map; `orders` the number of different orders sent."""

    scenario: Scenario
    feed: Sequence[Feed]
    pools: dict[str, str]
    orders: int

    @property
    def deliveries(self) -> list[ReceiveStock]:
        """Give the commands of the feed that bring goods."""
        return [command for command in self.feed if isinstance(command, ReceiveStock)]

    def feed_records(self) -> list[tuple[bytes, bytes]]:
        """Give the stock feed as (key, value) for stock.commands."""
        return [(command.pool.encode(), msgspec.json.encode(command)) for command in self.feed]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is sent."""
    parser.add_argument("--orders", type=int, default=20_000, help="orders to replay (%(default)s)")
    parser.add_argument("--rate", type=rate, default=2000.0, help="orders a second (%(default)g)")
    parser.add_argument("--seed", type=int, default=7, help="chooses orders, shares and stock (%(default)s)")
    parser.add_argument("--csv", type=Path, help="invoices to replay instead, in the columns of Online Retail")
    parser.add_argument("--lines", type=order_size, help="cut the orders to so many lines: 1-3 (not cut if not given)")
    parser.add_argument("--hostile", type=int, default=20, help="wrong, odd and large records (%(default)s)")
    shares = Shares()
    parser.add_argument("--unpaid-share", type=share, default=shares.unpaid, help="arrive unpaid (%(default)g)")
    parser.add_argument("--twice-share", type=share, default=shares.twice, help="arrive twice (%(default)g)")
    parser.add_argument(
        "--out-of-order-share", type=share, default=shares.out_of_order, help="after their payment (%(default)g)"
    )
    parser.add_argument(
        "--cancelled-share", type=share, default=shares.cancelled, help="cancelled once paid (%(default)g)"
    )
    parser.add_argument(
        "--scarce-share", type=share, default=stock.StockPlan().scarce_share, help="SKUs that sell out (%(default)g)"
    )


def make_plan(options: argparse.Namespace) -> Plan:
    """Make the plan of the options. Raises SettingsError when a file or a number is no good."""
    if options.csv and options.lines:
        message = "--lines: invoices from a file are sent as they are"
        raise SettingsError(message)
    return _replay_invoices(options) if options.csv else _replay_journey(options)


def read_orders(options: argparse.Namespace) -> Journey:
    """Read the real orders that the options ask for. Raises SettingsError."""
    orders, pools = read_journey(options.orders, options.seed)
    return Journey(cut_orders(orders, options.lines, options.seed) if options.lines else orders, pools)


def shares_of(options: argparse.Namespace) -> Shares:
    """Give the shares that the options ask for."""
    return Shares(options.unpaid_share, options.twice_share, options.out_of_order_share, options.cancelled_share)


def _replay_journey(options: argparse.Namespace) -> Plan:
    orders, pools = read_orders(options)
    ordinary = schedule(orders, options.rate, options.seed, shares_of(options))
    hostile = hostile_records(options.hostile, orders, options.orders / options.rate, options.seed)
    scenario = merge(ordinary, [record for record, _ in hostile], options.rate)
    stocked = [*orders, *(order for _, order in hostile if order is not None)]
    demand = stock.demand(wanted(order, pools) for order in stocked)
    return Plan(scenario, _feed(demand, options, orders[0].created_at), pools, len(orders))


def wanted(order: ShopOrder, pools: dict[str, str]) -> stock.Wanted:
    """Give what an order asks its pool for."""
    return stock.Wanted(pools[order.shop_id], order.buyer, [(line.sku, line.quantity) for line in order.lines])


def _replay_invoices(options: argparse.Namespace) -> Plan:
    invoices = read_invoices(options.csv)[: options.orders]
    scenario = Scenario(schedule_invoices(invoices, options.rate), options.rate)
    demand = stock.demand(stock.Wanted(POOL, invoice.buyer, invoice.goods) for invoice in invoices)
    return Plan(scenario, _feed(demand, options, 0), {SHOP: POOL}, len(invoices))


def _feed(demand: stock.Demand, options: argparse.Namespace, at: int) -> list[RegisterWarehouse | ReceiveStock]:
    return list(stock.feed(demand, stock.StockPlan(scarce_share=options.scarce_share), options.seed, at))
