"""Records that are wrong, odd or large: each must get its defined outcome, and none may stop a worker."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

import orjson

from loadtest.journey import Line, ShopOrder
from loadtest.payloads import order_fields, order_message
from loadtest.scenario import TimedRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LINES = 593
"""The longest real order that is known."""
OVERSIZED_BYTES = 2 * 1024 * 1024
BUYERS_FROM = 9_000_000_000
"""These buyers are no households of the data, so that no record here is the suspected duplicate of a real order."""
CODECS = ("lz4", "zstd", "snappy")
THROUGH = "signed|refused|in_review"
"""Goes the way of any order."""


class Hostile(NamedTuple):
    """A hostile record, and the order in it where it is one that wants stock."""

    record: TimedRecord
    order: ShopOrder | None


class Draft(NamedTuple):
    """What a hostile record is made of: an order that nobody else has, when to send it, and SKUs that shops sell."""

    order: ShopOrder
    at_seconds: float
    skus: Sequence[str]

    def record(self, value: bytes | None, expect: str, codec: str = "") -> TimedRecord:
        """Give the record with this payload."""
        return TimedRecord(self.at_seconds, self.order.order_id.encode(), value, codec=codec, expect=expect)

    def fields(self, **changed: object) -> bytes:
        """Serialise the order with some fields changed."""
        return orjson.dumps(order_fields(self.order, paid=True) | changed)


def _malformed(draft: Draft) -> Hostile:
    return Hostile(draft.record(order_message(draft.order, paid=True)[:-20], "dead_letter"), None)


def _empty(draft: Draft) -> Hostile:
    return Hostile(draft.record(None, "dead_letter"), None)


def _negative_quantity(draft: Draft) -> Hostile:
    line = {"line_id": "1", "sku": draft.skus[0], "quantity": -1, "unit_price_minor": 100}
    return Hostile(draft.record(draft.fields(lines=[line]), "dead_letter"), None)


def _missing_customer(draft: Draft) -> Hostile:
    gone = dict.fromkeys(("buyer_id", "receiver_key", "receiver_phone", "address_detail", "province", "city"), "")
    return Hostile(draft.record(draft.fields(**gone, receiver_name="", district=""), "in_review"), None)


def _unknown_sku(draft: Draft) -> Hostile:
    line = {"line_id": "1", "sku": "no-such-sku", "quantity": 1, "unit_price_minor": 100}
    return Hostile(draft.record(draft.fields(lines=[line]), "refused|in_review"), None)


def _many_lines(draft: Draft) -> Hostile:
    skus = sorted(set(draft.skus))[:LINES]
    order = draft.order._replace(lines=tuple(Line(skus[place % len(skus)], 1, 100) for place in range(LINES)))
    return Hostile(draft.record(order_message(order, paid=True), THROUGH), order)


def _oversized(draft: Draft) -> Hostile:
    return Hostile(draft.record(draft.fields(address_detail="x" * OVERSIZED_BYTES), "dead_letter"), None)


def _compressed(codec: str) -> Callable[[Draft], Hostile]:
    def make(draft: Draft) -> Hostile:
        return Hostile(draft.record(order_message(draft.order, paid=True), THROUGH, codec), draft.order)

    return make


KINDS: tuple[Callable[[Draft], Hostile], ...] = (
    _malformed,
    _negative_quantity,
    _missing_customer,
    _unknown_sku,
    _many_lines,
    _oversized,
    *(_compressed(codec) for codec in CODECS),
    _empty,
)


def hostile_records(count: int, orders: Sequence[ShopOrder], seconds: float, seed: int) -> list[Hostile]:
    """Give `count` hostile records, each kind in turn, over the first `seconds` of a replay of these orders."""
    chance = random.Random(seed)  # noqa: S311 - a choice to repeat, not a secret
    skus = [line.sku for order in orders for line in order.lines if line.quantity]
    found = []
    for place in range(count):
        model = chance.choice(orders)
        order = model._replace(order_id=f"hostile-{place}", buyer=str(BUYERS_FROM + place))
        draft = Draft(order, chance.uniform(0, seconds), skus)
        found.append(KINDS[place % len(KINDS)](draft))
    return found
