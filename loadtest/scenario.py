"""What is sent, and when: orders become records with an intended time each, all of it decided by one seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from loadtest.payloads import PLATFORM, cancellation_message, order_message, payment_message
from pipeline.topics import ORDERS_RAW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from loadtest.journey import ShopOrder

LATER_SECONDS = (0.2, 3.0)
"""What follows an order (its payment, its cancellation, the order again) comes between so many seconds later."""
PAID_LATER_SHARE = 2 / 3
"""Of the orders that arrive unpaid so many are paid later; the rest is cancelled."""


class TimedRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A record for `orders.raw`, or another topic, and when it is to be sent, in seconds from the start."""

    offset_seconds: float
    key: bytes
    value: bytes | None
    platform: str = PLATFORM
    codec: str = ""
    """The compression of its batch; empty: the generator's own."""
    expect: str = ""
    """The outcomes that it may have, separated by `|`, where they follow from the record alone; sent as a header."""
    topic: str = ORDERS_RAW.name
    """A stage's input takes commands: no header is sent with them."""
    partition: int = -1
    """Below 0: by its key."""


class Shares(NamedTuple):
    """How many of the orders, of 1, take which way; the rest arrives once, paid."""

    unpaid: float = 0.06
    """Arrive unpaid, and are paid or cancelled later."""
    twice: float = 0.03
    """Arrive twice."""
    out_of_order: float = 0.02
    """Are preceded by their own payment or cancellation."""
    cancelled: float = 0.01
    """Are cancelled after they were paid."""


class Scenario(msgspec.Struct, frozen=True):
    """A replay: its records by intended time, and the rate of orders that it was made for."""

    records: list[TimedRecord]
    rate_per_second: float

    @property
    def seconds(self) -> float:
        """The time from the first record to the last."""
        return self.records[-1].offset_seconds if self.records else 0.0


def schedule(orders: Iterable[ShopOrder], rate_per_second: float, seed: int, shares: Shares) -> list[TimedRecord]:
    """Give the records of all orders, one order every 1/rate seconds, and by intended time."""
    chance = random.Random(seed)  # noqa: S311 - a choice to repeat, not a secret
    records: list[TimedRecord] = []
    for place, order in enumerate(orders):
        records.extend(_way(order, place / rate_per_second, chance, shares))
    records.sort(key=_intended)
    return records


def _way(order: ShopOrder, at_seconds: float, chance: random.Random, shares: Shares) -> Iterator[TimedRecord]:
    """Choose an order's way. Records are keyed by order, so that what a shop says of one order stays in sequence."""
    key = order.order_id.encode()
    draw, later, pays = chance.random(), chance.uniform(*LATER_SECONDS), chance.random() < PAID_LATER_SHARE
    news = payment_message if pays else cancellation_message
    expect = "" if pays else "cancelled"
    if draw < shares.unpaid:
        yield TimedRecord(at_seconds, key, order_message(order, paid=False), expect=expect)
        yield TimedRecord(at_seconds + later, key, news(order))
    elif (draw := draw - shares.unpaid) < shares.twice:
        message = order_message(order, paid=True)
        yield TimedRecord(at_seconds, key, message)
        yield TimedRecord(at_seconds + later, key, message)
    elif (draw := draw - shares.twice) < shares.out_of_order:
        yield TimedRecord(at_seconds, key, news(order))
        yield TimedRecord(at_seconds + later, key, order_message(order, paid=False), expect=expect)
    elif draw - shares.out_of_order < shares.cancelled:
        yield TimedRecord(at_seconds, key, order_message(order, paid=True))
        yield TimedRecord(at_seconds + later, key, cancellation_message(order))
    else:
        yield TimedRecord(at_seconds, key, order_message(order, paid=True))


def merge(ordinary: list[TimedRecord], hostile: list[TimedRecord], rate_per_second: float) -> Scenario:
    """Put hostile records among the ordinary ones."""
    return Scenario(sorted([*ordinary, *hostile], key=_intended), rate_per_second)


def _intended(record: TimedRecord) -> float:
    return record.offset_seconds


def write_scenario(scenario: Scenario, path: Path) -> None:
    """Write a scenario for the process that sends it."""
    path.write_bytes(msgspec.msgpack.encode(scenario))


def read_scenario(path: Path) -> Scenario:
    """Read a scenario that was written."""
    return msgspec.msgpack.decode(path.read_bytes(), type=Scenario)
