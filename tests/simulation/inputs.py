"""What comes in from outside: stock feeds, and what shops push: some of it twice, too early, late, or no order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline import topics
from pipeline.domain.commands import ReceiveStock, RegisterWarehouse
from pipeline.domain.orders import SkuUnits

if TYPE_CHECKING:
    import random

NOON = 1_700_000_000_000
SKUS = ("X", "Y")
SHOPS = ("s1", "s2")
"""A shop that no map names is a stock pool of its own."""
PLACES = (("w1", 30.0, 120.0), ("w2", 40.0, 116.0))
ORDERS_MAX = 4
WAYS = ("paid", "paid", "twice", "pays later", "pays first", "cancels first", "cancels later", "cancels later")
HOSTILE: tuple[bytes | None, ...] = (
    None,
    b"",
    b"{",
    b'{"type":"order"}',
    b"\xff\xfe",
    b"[]",
    b'{"type":"order","lines":1e400}',
)


class Input(NamedTuple):
    """A record from outside."""

    topic: str
    key: bytes
    value: bytes | None


def draw_inputs(chance: random.Random) -> tuple[Input, ...]:
    """Draw a run's input: feeds first, mostly; then orders, their messages in among each other."""
    shops = SHOPS[: chance.choice((1, 1, 2))]
    feeds = [record for shop in shops for record in _feeds(chance, shop)]
    streams = []
    for number in range(chance.randint(1, ORDERS_MAX)):
        units = {sku: chance.randint(1, 4) for sku in chance.sample(SKUS, chance.randint(1, len(SKUS)))}
        streams.append(order_messages(chance.choice(shops), f"o{number}", units, chance.choice(WAYS)))
    if chance.random() < 0.3:
        streams.append([Input(topics.ORDERS_RAW.name, b"h", chance.choice(HOSTILE))])
    if chance.random() < 0.2:
        streams.append([feeds.pop()])
    return (*feeds, *_shuffled(chance, streams))


def _shuffled(chance: random.Random, streams: list[list[Input]]) -> list[Input]:
    """Mix streams, each in its own order."""
    places = [stream for stream in streams for _ in stream]
    chance.shuffle(places)
    rest = {id(stream): iter(stream) for stream in streams}
    return [next(rest[id(stream)]) for stream in places]


def _feeds(chance: random.Random, shop: str) -> list[Input]:
    commands: list[RegisterWarehouse | ReceiveStock] = []
    for name, north, east in PLACES[: chance.randint(1, 2)]:
        commands.append(
            RegisterWarehouse(at=1, pool=shop, feed_id=name, warehouse=name, latitude=north, longitude=east)
        )
        units = tuple(SkuUnits(sku, chance.randint(1, 6)) for sku in SKUS)
        commands.append(ReceiveStock(at=1, pool=shop, feed_id=f"{name}-1", warehouse=name, units=units))
    if chance.random() < 0.2:
        commands.append(commands[-1])
    return [Input(topics.STOCK_COMMANDS.name, shop.encode(), msgspec.json.encode(command)) for command in commands]


def order_messages(shop: str, name: str, units: dict[str, int], way: str) -> list[Input]:
    """Give what a shop pushes of an order that goes a certain way."""
    shown = _order(shop, name, units, paid=way not in {"pays later", "pays first"})
    payment = _message(shop, name, type="payment", at=NOON + 1, paid_minor=5)
    cancellation = _message(shop, name, type="cancellation", at=NOON + 2, reason="buyer")
    return {
        "paid": [shown],
        "twice": [shown, shown],
        "pays later": [shown, payment],
        "pays first": [payment, shown],
        "cancels first": [cancellation, shown],
        "cancels later": [shown, cancellation],
    }[way]


def _order(shop: str, name: str, units: dict[str, int], *, paid: bool) -> Input:
    lines = [{"line_id": sku, "sku": sku, "quantity": count, "unit_price_minor": 5} for sku, count in units.items()]
    return _message(
        shop,
        name,
        type="order",
        status="paid" if paid else "unpaid",
        created_at=NOON,
        buyer_id=name,
        receiver_key=name,
        province="北京市",
        paid_minor=5 if paid else 0,
        lines=lines,
    )


def _message(shop: str, name: str, **fields: object) -> Input:
    value = msgspec.json.encode({"channel": "web", "shop_id": shop, "order_id": name, **fields})
    return Input(topics.ORDERS_RAW.name, name.encode(), value)
