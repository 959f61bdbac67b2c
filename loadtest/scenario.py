"""What is sent, and when: orders become records with an intended time each, all of it decided by one seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from loadtest.payloads import PLATFORM, address_message, cancellation_message, order_message, payment_message
from pipeline.topics import ORDERS_RAW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from loadtest.journey import ShopOrder

LATER_SECONDS = (0.2, 3.0)
"""What follows an order (its payment, its cancellation, the order again) comes between so many seconds later."""
LATE_BY_MS = 10 * 60_000
WRITTEN_TOGETHER = 10_000
"""Records of one part of a written scenario: a long load's are not to be twice in memory."""
LENGTH_BYTES = 8
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
    headers: tuple[tuple[str, bytes], ...] = ()
    """Further headers, as a recorded record had them."""


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
    address: float = 0.0
    """Are to go to another address after they were paid."""
    late: float = 0.0
    """Arrive LATE_BY_MS after they were placed, behind orders that were placed after them."""
    suspected: float = 0.0
    """Are followed by another order of the same buyer for the same goods: a suspected duplicate."""


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
    return schedule_at(((place / rate_per_second, order) for place, order in enumerate(orders)), seed, shares)


def schedule_at(orders: Iterable[tuple[float, ShopOrder]], seed: int, shares: Shares) -> list[TimedRecord]:
    """Give the records of orders that come at these seconds from the start, by intended time."""
    chance = random.Random(seed)  # noqa: S311 - a choice to repeat, not a secret
    records: list[TimedRecord] = []
    for at_seconds, order in orders:
        records.extend(_way(order, at_seconds, chance, shares))
    records.sort(key=_intended)
    return records


class _Turn(NamedTuple):
    """An order that comes, when something follows it, and whether what follows an unpaid order is its payment."""

    order: ShopOrder
    at_seconds: float
    later_seconds: float
    pays: bool

    def comes(self, *, paid: bool) -> TimedRecord:
        """Give the order's record at its own time."""
        expect = "" if paid or self.pays else "cancelled"
        return self._record(self.at_seconds, order_message(self.order, paid=paid), expect)

    def follows(self, value: bytes) -> TimedRecord:
        """Give what follows. Records are keyed by order, so that what a shop says of one order stays in sequence."""
        return self._record(self.later_seconds, value)

    def _record(self, at_seconds: float, value: bytes, expect: str = "") -> TimedRecord:
        # A copy: what orjson makes keeps its buffer of 8 KB in use, and a long load has millions of records.
        return TimedRecord(at_seconds, self.order.order_id.encode(), bytes(memoryview(value)), expect=expect)

    @property
    def news(self) -> bytes:
        """Say what becomes of an unpaid order."""
        return payment_message(self.order) if self.pays else cancellation_message(self.order)


def _unpaid(turn: _Turn) -> tuple[TimedRecord, ...]:
    return turn.comes(paid=False), turn.follows(turn.news)


def _twice(turn: _Turn) -> tuple[TimedRecord, ...]:
    first = turn.comes(paid=True)
    return first, turn.follows(first.value or b"")


def _out_of_order(turn: _Turn) -> tuple[TimedRecord, ...]:
    behind = msgspec.structs.replace(turn.comes(paid=False), offset_seconds=turn.later_seconds)
    return msgspec.structs.replace(turn.follows(turn.news), offset_seconds=turn.at_seconds), behind


def _cancelled(turn: _Turn) -> tuple[TimedRecord, ...]:
    return turn.comes(paid=True), turn.follows(cancellation_message(turn.order))


def _address(turn: _Turn) -> tuple[TimedRecord, ...]:
    return turn.comes(paid=True), turn.follows(address_message(turn.order))


def _late(turn: _Turn) -> tuple[TimedRecord, ...]:
    placed = turn.order._replace(created_at=turn.order.created_at - LATE_BY_MS)
    return (turn._replace(order=placed).comes(paid=True),)


def _suspected(turn: _Turn) -> tuple[TimedRecord, ...]:
    again = turn.order._replace(order_id=f"{turn.order.order_id}-again")
    return turn.comes(paid=True), turn._replace(order=again, at_seconds=turn.later_seconds).comes(paid=True)


WAYS: Mapping[str, Callable[[_Turn], tuple[TimedRecord, ...]]] = {
    "unpaid": _unpaid,
    "twice": _twice,
    "out_of_order": _out_of_order,
    "cancelled": _cancelled,
    "address": _address,
    "late": _late,
    "suspected": _suspected,
}
"""What an order's records are on each way, by the names of `Shares`."""


def _way(order: ShopOrder, at_seconds: float, chance: random.Random, shares: Shares) -> tuple[TimedRecord, ...]:
    """Choose an order's way."""
    draw, later, pays = chance.random(), chance.uniform(*LATER_SECONDS), chance.random() < PAID_LATER_SHARE
    turn = _Turn(order, at_seconds, at_seconds + later, pays)
    for name, way in WAYS.items():
        if draw < (share := getattr(shares, name)):
            return way(turn)
        draw -= share
    return (turn.comes(paid=True),)


def merge(ordinary: list[TimedRecord], hostile: list[TimedRecord], rate_per_second: float) -> Scenario:
    """Put hostile records among the ordinary ones."""
    return Scenario(sorted([*ordinary, *hostile], key=_intended), rate_per_second)


def _intended(record: TimedRecord) -> float:
    return record.offset_seconds


def write_scenario(scenario: Scenario, path: Path) -> None:
    """Write a scenario for the process that sends it: parts of WRITTEN_TOGETHER records, each behind its length."""
    with path.open("wb") as file:
        for begin in range(0, max(1, len(scenario.records)), WRITTEN_TOGETHER):
            records = scenario.records[begin : begin + WRITTEN_TOGETHER]
            part = msgspec.msgpack.encode(Scenario(records, scenario.rate_per_second))
            file.write(len(part).to_bytes(LENGTH_BYTES) + part)


def read_scenario(path: Path) -> Scenario:
    """Read a scenario that was written."""
    scenario, decode = Scenario([], 0.0), msgspec.msgpack.Decoder(Scenario).decode
    with path.open("rb") as file:
        while length := file.read(LENGTH_BYTES):
            part = decode(file.read(int.from_bytes(length)))
            scenario = Scenario(scenario.records, part.rate_per_second)
            scenario.records.extend(part.records)
    return scenario
