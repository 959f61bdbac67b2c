"""Make a promotion: real orders, some of them special, at times of now, with all that is fed among them."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from loadtest.geography import POOLS
from loadtest.promotion import feeds
from loadtest.promotion.feeds import Feed, Span
from loadtest.promotion.special import LATE_PAYMENT_SECONDS, Special, choose, own_units, records, with_own
from loadtest.scenario import TimedRecord, schedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loadtest.journey import ShopOrder
    from loadtest.promotion.mix import Mix
    from loadtest.scenario import Shares

DAY_MS = 24 * 3_600_000
BUYERS_PER_DAY = 10_000
"""More than there are households in the data."""
CLOCK_AFTER_SECONDS = LATE_PAYMENT_SECONDS[1] + 4.0
"""After the last order: by then nobody is paid late any more, and whoever did not pay is cancelled."""
PLANNED = next(iter(POOLS))


class Wish(NamedTuple):
    """What a promotion is made for: its mix and shares, its rate, its begin (ms UTC), its seed.

    `partitions`: how many each of the stages' inputs has.
    """

    mix: Mix
    shares: Shares
    rate_per_second: float
    begin_ms: int
    seed: int
    partitions: int


class Promotion(NamedTuple):
    """A promotion. `kinds`: what each special order is, by its id; `ordinary`: the orders that are not.

    `records` are what shops send, `commands` what is set and fed among them, both by time; `feed` comes before them.
    """

    records: list[TimedRecord]
    commands: list[TimedRecord]
    feed: list[Feed]
    kinds: dict[str, str]
    ordinary: list[ShopOrder]
    stocked: list[ShopOrder]
    """The orders that want what shops sell."""
    planned: str
    """The pool that has a routing plan; empty: none."""
    span: Span


def promote(orders: Sequence[ShopOrder], pools: Mapping[str, str], wish: Wish) -> Promotion:
    """Make a promotion of orders, one every 1/rate seconds; special ones are spread evenly among the others."""
    seconds = len(orders) / wish.rate_per_second
    span = Span(wish.begin_ms, seconds, seconds + CLOCK_AFTER_SECONDS)
    begin = orders[0].created_at
    chosen = choose([_other_buyer(order, begin) for order in orders], wish.mix, wish.seed)
    rate = max(1, len(chosen.ordinary)) / seconds
    ordinary = [_at(order, wish.begin_ms, place / rate) for place, order in enumerate(chosen.ordinary)]
    special = list(_special(chosen.special, pools, span))
    wanted = _wanted(special, pools)
    planned = PLANNED if special else ""
    chance = random.Random(wish.seed)  # noqa: S311 - a choice to repeat, not a secret
    found = schedule(ordinary, rate, wish.seed, wish.shares)
    for one in special:
        found.extend(records(one, chance))
    commands = [*feeds.limits(span, wish.partitions), *feeds.meanwhile(wanted, span, planned)] if special else []
    return Promotion(
        sorted(found, key=lambda record: record.offset_seconds),
        sorted(commands, key=lambda record: record.offset_seconds),
        list(feeds.opening(wanted, span, planned)),
        {one.order_id: one.kind for one in special},
        ordinary,
        [*ordinary, *(one.order for one in special if not one.wants_own)],
        planned,
        span,
    )


def _other_buyer(order: ShopOrder, begin: int) -> ShopOrder:
    """Let a household be another buyer on each day: days pass in seconds, and it would suspect itself."""
    day = (order.created_at - begin) // DAY_MS
    return order._replace(buyer=str(int(order.buyer) + BUYERS_PER_DAY * day))


def _at(order: ShopOrder, begin_ms: int, at_seconds: float) -> ShopOrder:
    return order._replace(created_at=begin_ms + int(at_seconds * 1000))


def _special(chosen: Sequence[tuple[str, ShopOrder]], pools: Mapping[str, str], span: Span) -> Iterator[Special]:
    for place, (kind, order) in enumerate(chosen):
        at_seconds = span.seconds(place / len(chosen))
        now = _at(order, span.begin_ms, at_seconds)
        if own_units(kind):
            now = with_own(kind, now, pools[order.shop_id])
        yield Special(kind, now, at_seconds)


def _wanted(special: Sequence[Special], pools: Mapping[str, str]) -> Counter[tuple[str, str]]:
    units: Counter[tuple[str, str]] = Counter()
    for one in special:
        if one.wants_own:
            units[one.kind, pools[one.order.shop_id]] += own_units(one.kind)
    return units
