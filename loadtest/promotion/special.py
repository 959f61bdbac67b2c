"""The special orders: what each is, and what its shop sends of it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from loadtest.geography import PROVINCES, home
from loadtest.journey import CHANNEL, Line
from loadtest.oracle.asked import order_id_of
from loadtest.payloads import message_about, order_fields, payment_message
from loadtest.promotion.mix import Mix
from loadtest.scenario import LATER_SECONDS, TimedRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadtest.journey import ShopOrder

BUYERS_FROM = 6_000_000_000
"""These buyers are no households of the data: nobody's order is another's suspected duplicate."""
PRICE_MINOR = 1_900
BACKORDERED_UNITS = 2
DEAR_MINOR = 10_000
"""With so much more a line costs more than the 500 yuan that the rules look at."""
LATE_PAYMENT_SECONDS = (12.0, 26.0)
"""After the order: its hold has expired by then, and in the second half of that it is cancelled."""
PAID_AFTER_SECONDS = 1.0
"""After one of its lines was dropped: what is routed is dropped too late."""
UNPAID = frozenset({"late_payment", "abandoned", "partial"})
"""The kinds whose orders arrive unpaid, with their units off sale."""
EXPEDITED_PRIORITY = 100
REFUND_MINOR = 100
OF_ITS_OWN = ("presale", "flash", "safety", "backorder", "gated")
"""The kinds whose orders want one SKU, which each pool has for them."""
EXPECTED = {"presale": "signed|refused", "flash": "signed|refused", "abandoned": "cancelled", "risky": "in_review"}
"""The outcomes that an order of a kind may have."""


class Special(NamedTuple):
    """A special order, and when it is sent, in seconds from the start. Its own time is the same, in milliseconds."""

    kind: str
    order: ShopOrder
    at_seconds: float

    @property
    def order_id(self) -> str:
        """Give the order's id."""
        return order_id_of(CHANNEL, self.order.shop_id, self.order.order_id)

    @property
    def wants_own(self) -> bool:
        """Say whether it wants the SKU that its kind has."""
        return own_units(self.kind) > 0


class Chosen(NamedTuple):
    """Orders, parted."""

    ordinary: list[ShopOrder]
    special: list[tuple[str, ShopOrder]]


def choose(orders: Sequence[ShopOrder], mix: Mix, seed: int) -> Chosen:
    """Choose the special orders. Their buyers are nobody else's."""
    chance = random.Random(seed)  # noqa: S311 - a choice to repeat, not a secret
    kinds, weights = [*Mix._fields, ""], [*mix, 1 - sum(mix)]
    chosen = Chosen([], [])
    for place, order in enumerate(orders):
        kind = chance.choices(kinds, weights)[0]
        if kind and _fits(kind, order):
            chosen.special.append((kind, _make(kind, order._replace(buyer=str(BUYERS_FROM + place)))))
        else:
            chosen.ordinary.append(order)
    return chosen


def _fits(kind: str, order: ShopOrder) -> bool:
    """Say whether an order of the data can be one of a kind: it must ship something, and drop one line of several."""
    skus = {line.sku for line in order.lines if line.quantity}
    return len(skus) > (kind == "partial") and order.paid_minor > REFUND_MINOR


def sku_of(kind: str, pool: str) -> str:
    """Give the SKU that the orders of a kind want in a pool."""
    return f"{kind}-{pool}"


def own_units(kind: str) -> int:
    """Say how many units of its own SKU an order of a kind wants; 0: it wants what shops sell."""
    return (BACKORDERED_UNITS if kind == "backorder" else 1) if kind in OF_ITS_OWN else 0


def _make(kind: str, order: ShopOrder) -> ShopOrder:
    """Make an order one of a kind; what it wants of its kind's own SKU is put in when its pool is known."""
    if kind != "risky":
        return order
    first, *others = order.lines
    dear = first._replace(unit_price_minor=first.unit_price_minor + DEAR_MINOR, quantity=max(1, first.quantity))
    return order._replace(lines=(dear, *others))


def with_own(kind: str, order: ShopOrder, pool: str) -> ShopOrder:
    """Let an order want its kind's own SKU, and nothing else."""
    lines = (Line(sku_of(kind, pool), own_units(kind), PRICE_MINOR),)
    return order._replace(lines=lines, freight_minor=0, discount_seller_minor=0, discount_platform_minor=0)


def records(special: Special, chance: random.Random) -> Iterator[TimedRecord]:
    """Give what the shop sends of an order, in the order of its times."""
    kind, order, at = special.kind, special.order, special.at_seconds
    is_paid = kind not in UNPAID
    fields = order_fields(order, paid=is_paid) | _more(kind)
    key, expect = order.order_id.encode(), EXPECTED.get(kind, "")
    yield TimedRecord(at, key, orjson.dumps(fields), expect=expect)
    later = chance.uniform(*(LATE_PAYMENT_SECONDS if kind == "late_payment" else LATER_SECONDS))
    value = _news(special, later, chance)
    if value:
        yield TimedRecord(at + later, key, value)
    if kind == "partial":
        paid_at = order.created_at + int((later + PAID_AFTER_SECONDS) * 1000)
        yield TimedRecord(at + later + PAID_AFTER_SECONDS, key, payment_message(order, paid_at))


def _more(kind: str) -> dict[str, object]:
    """Give the fields of an order's message that make it one of its kind."""
    more: dict[str, dict[str, object]] = {
        "presale": {"sub_pool": "presale"},
        "flash": {"sub_pool": "flash"},
        "backorder": {"may_split": True},
        **{name: {"holds_unpaid": True} for name in UNPAID},
        "risky": {"payment_method": "credit_card"},
        "vip": {"vip_level": 5, "fragile": True},
    }
    return more.get(kind, {})


def _news(special: Special, later_seconds: float, chance: random.Random) -> bytes:
    """Give what the shop says later of an order; nothing of most kinds."""
    kind, order = special.kind, special.order
    at = order.created_at + int(later_seconds * 1000)
    if kind == "late_payment":
        return payment_message(order, at)
    if kind == "address":
        return message_about(order, "address", at, _elsewhere(order, chance))
    more: dict[str, dict[str, Any]] = {
        "expedite": {"priority": EXPEDITED_PRIORITY},
        "refund": {"refund_id": "R-1", "amount_minor": REFUND_MINOR, "reason": "broken"},
        "partial": {"cancellation_id": "C-1", "reason": "buyer", "lines": [_dropped(order)]},
    }
    names = {"partial": "partial_cancellation"}
    return message_about(order, names.get(kind, kind), at, more[kind]) if kind in more else b""


def _elsewhere(order: ShopOrder, chance: random.Random) -> dict[str, object]:
    """Give an address in another province, of the same receiver."""
    lives = home(order.buyer)
    province = chance.choice([other for other in PROVINCES if other != lives])
    fields = order_fields(order, paid=True)
    kept = {name: fields[name] for name in ("receiver_name", "receiver_phone", "receiver_key", "address_detail")}
    return kept | {"province": province.name, "city": province.capital, "author": "buyer"}


def _dropped(order: ShopOrder) -> dict[str, object]:
    """Give the line that is dropped: all units of its SKU."""
    sku = next(line.sku for line in order.lines if line.quantity)
    return {"sku": sku, "quantity": sum(line.quantity for line in order.lines if line.sku == sku)}
