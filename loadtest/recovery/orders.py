"""Orders without end: a window of the real ones, again and again, each time under new ids, later times, new receivers.

What the stages remember of an order grows with its ids, its parts and its receiver's SKUs; so these are the real
orders' and everything goes through the real connector first.
"""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from loadtest import stock
from loadtest.journey import CHANNEL, read_journey
from loadtest.payloads import order_message
from pipeline.connectors import translate
from pipeline.connectors.payload import Reference
from pipeline.domain.commands import SubmitOrder
from pipeline.domain.orders import internal_order_id
from pipeline.engine.stage import Record
from pipeline.topics import DAY_MS, ORDERS_RAW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loadtest.journey import ShopOrder
    from pipeline.domain.commands import ReceiveStock, RegisterWarehouse

WINDOW_ORDERS = 10_000
ORDERS_PER_DAY = 230_000
"""How close the orders lie in event time: it decides how many receivers are remembered."""
BEGIN_MS = 1_760_000_000_000
NO_SCARCITY = stock.StockPlan(scarce_share=0.0)


class Window(NamedTuple):
    """Real orders, what each asks of dedup, the pools of their shops, and the stock that all repetitions need."""

    orders: Sequence[ShopOrder]
    submissions: Sequence[SubmitOrder]
    pools: Mapping[str, str]
    feed: Sequence[RegisterWarehouse | ReceiveStock]


def read_window(orders: int, seed: int) -> Window:
    """Read as many real orders as are repeated until there are so many, and make the stock for twice as many."""
    journey = read_journey(min(orders, WINDOW_ORDERS), seed)
    reference = Reference(journey.pools)
    submissions = []
    for order in journey.orders:
        (arrival,) = translate(_record(order_message(order, paid=True)), reference)
        if isinstance(arrival.command, SubmitOrder):
            submissions.append(arrival.command)
    times = 2 * (orders // len(submissions) + 1)
    wanted = stock.demand(
        stock.Wanted(journey.pools[order.shop_id], order.buyer, [(line.sku, line.quantity) for line in order.lines])
        for order in journey.orders
    )
    for asked in wanted:
        wanted[asked] *= times
    return Window(journey.orders, submissions, journey.pools, list(stock.feed(wanted, NO_SCARCITY, seed, BEGIN_MS)))


def _record(payload: bytes) -> Record:
    return Record(ORDERS_RAW.name, 0, 0, 0, None, payload, ())


def repeat(window: Window, orders: int) -> Iterator[SubmitOrder]:
    """Give so many submissions, evenly in event time."""
    replace = msgspec.structs.replace
    for number in range(orders):
        turn, place = divmod(number, len(window.submissions))
        command = window.submissions[place]
        order, at = command.order, BEGIN_MS + number * DAY_MS // ORDERS_PER_DAY
        known_as = f"{order.platform_order_id}-{turn}"
        yield replace(
            command,
            at=at,
            order=replace(
                order,
                internal_order_id=internal_order_id(CHANNEL, order.shop_id, known_as),
                platform_order_id=known_as,
                receiver_key=md5(f"{order.buyer_id}-{number}".encode(), usedforsecurity=False).hexdigest(),
                created_at=at,
                paid_at=at,
                updated_at=at,
            ),
        )
