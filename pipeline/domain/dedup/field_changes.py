"""An order and the same order changed: its address, its units, and which of its fields differ."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pipeline.domain.order_events import Change
from pipeline.domain.orders import ShipTo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.domain.orders import Order, OrderLine, SkuUnits

PERSONAL = (
    *("buyer_id", "receiver_key", "receiver_name", "receiver_phone"),
    *("province", "city", "district", "address_detail"),
)
"""Fields of which an event says that they changed, and not how."""
PLAIN = ("order_type", "freight_minor", "discount_seller_minor", "discount_platform_minor")
PAID = "paid_minor"
LINES = "lines"
TOKEN_BYTES = 12


def ship_to_of(order: Order) -> ShipTo:
    """Give where an order goes."""
    return ShipTo(
        name=order.receiver_name,
        phone=order.receiver_phone,
        province=order.province,
        city=order.city,
        district=order.district,
        address_detail=order.address_detail,
    )


def buyer_token(order: Order) -> str:
    """Give a token of who buys, the same for all of a buyer's orders on a channel; empty where nobody is named."""
    who = order.buyer_id or order.receiver_key
    return blake2b(f"{order.channel}|{who}".encode(), digest_size=TOKEN_BYTES).hexdigest() if who else ""


def values_of(order: Order) -> tuple[int, ...]:
    """Give what the units of each SKU cost, in the order of `units_to_ship`."""
    values: dict[str, int] = {}
    for line in order.lines:
        if line.quantity > 0:
            values[line.merchant_sku] = values.get(line.merchant_sku, 0) + line.quantity * line.unit_price_minor
    return tuple([values[sku] for sku in sorted(values)])


def with_address(order: Order, ship_to: ShipTo, receiver_key: str) -> Order:
    """Give an order that goes somewhere else."""
    return replace(
        order,
        receiver_key=receiver_key,
        receiver_name=ship_to.name,
        receiver_phone=ship_to.phone,
        province=ship_to.province,
        city=ship_to.city,
        district=ship_to.district,
        address_detail=ship_to.address_detail,
    )


def without(order: Order, units: Iterable[SkuUnits]) -> tuple[Order, int, int]:
    """Take units off an order, from its last lines first. Gives it with how many were taken, and their price.

    More than it has of a SKU are as many as it has.
    """
    wanted: dict[str, int] = {}
    for unit in units:
        wanted[unit.sku] = wanted.get(unit.sku, 0) + max(unit.units, 0)
    lines: list[OrderLine] = []
    taken = value_minor = 0
    for line in reversed(order.lines):
        count = min(line.quantity, wanted.get(line.merchant_sku, 0))
        if count:
            wanted[line.merchant_sku] -= count
            taken += count
            value_minor += count * line.unit_price_minor
        lines.append(replace(line, quantity=line.quantity - count) if count else line)
    return replace(order, lines=tuple(reversed(lines))), taken, value_minor


def differences(before: Order, after: Order, *, is_paid: bool) -> tuple[Change, ...]:
    """Give the fields in which an order differs; what it paid only where it had paid before."""
    found = [Change(name, "", "") for name in PERSONAL if getattr(before, name) != getattr(after, name)]
    plain = (*PLAIN, PAID) if is_paid else PLAIN
    for name in plain:
        was, is_now = getattr(before, name), getattr(after, name)
        if was != is_now:
            found.append(Change(name, str(was), str(is_now)))
    if before.lines != after.lines:
        found.append(Change(LINES, lines_text(before), lines_text(after)))
    return tuple(found)


def lines_text(order: Order) -> str:
    """Give an order's lines as text: `SKU-A*2@8900 SKU-B*1@500`."""
    return " ".join([f"{line.merchant_sku}*{line.quantity}@{line.unit_price_minor}" for line in order.lines])
