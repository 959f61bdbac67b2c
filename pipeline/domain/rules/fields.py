"""The fields that review rules may ask for: the canonical order's, its envelope's, its lines', and some that derive.

    amount              the greater of what was paid and what is to be paid: goods + freight - both discounts
    goods               what all lines cost together
    units, lines        how many units, how many lines
    address             province, city, district and address_detail as one text
    line_total          of one line: quantity times unit_price

Text that people type (names, addresses) is compared folded: no difference between full and half width, upper and lower
case, and without white space and invisible characters, so that `临时 摊位` is `临时摊位`. Ids are compared as they are.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.domain.orders import OrderStatus, OrderType, SubPool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.domain.orders import Envelope, Order, OrderLine


class Kind(StrEnum):
    """The type of a field: it says which operators and which values go with it."""

    ID = "id"
    """Text that a machine wrote: compared as it is."""
    TEXT = "text"
    """Text that people wrote: compared folded."""
    NUMBER = "number"
    MONEY = "money"
    TIME = "time"
    FLAG = "flag"
    CHOICE = "choice"


class Field(NamedTuple):
    """A declared field: how it is read of Facts or LineFacts, and the words that a choice has."""

    kind: Kind
    read: Callable[[Any], Any]
    words: frozenset[str] = frozenset()
    personal: bool = False
    """Whether evidence must not repeat what a rule asks for: the order's receiver is in it."""


class Facts:
    """An order as the rules see it. What is derived is worked out once, when a rule first asks for it."""

    def __init__(self, order: Order, envelope: Envelope) -> None:
        self.order = order
        self.envelope = envelope
        self.currency = envelope.currency
        self.folded: dict[str, str] = {}

    @cached_property
    def goods(self) -> int:
        """What all lines cost together, in minor units."""
        return sum([line.quantity * line.unit_price_minor for line in self.order.lines])

    @cached_property
    def amount(self) -> int:
        """What the order is about in money, in minor units."""
        order = self.order
        asked = self.goods + order.freight_minor - order.discount_seller_minor - order.discount_platform_minor
        return max(order.paid_minor, asked)

    @cached_property
    def units(self) -> int:
        """How many units the order has."""
        return sum([line.quantity for line in self.order.lines])

    @cached_property
    def count(self) -> int:
        """How many lines the order has."""
        return len(self.order.lines)

    @cached_property
    def address(self) -> str:
        """The address as one text."""
        order = self.order
        return f"{order.province} {order.city} {order.district} {order.address_detail}"

    @cached_property
    def lines(self) -> tuple[LineFacts, ...]:
        """The lines as the rules see them."""
        return tuple([LineFacts(line, self.currency) for line in self.order.lines])


class LineFacts:
    """One line of an order as the rules see it."""

    __slots__ = ("currency", "line")

    def __init__(self, line: OrderLine, currency: str) -> None:
        self.line = line
        self.currency = currency

    @property
    def total(self) -> int:
        """What the line costs, in minor units."""
        return self.line.quantity * self.line.unit_price_minor


def fold(text: str) -> str:
    """Fold text that people typed: width, case, white space and invisible characters make no difference."""
    folded = "".join(unicodedata.normalize("NFKC", text).casefold().split())
    return folded if folded.isprintable() else "".join(filter(str.isprintable, folded))


def _text(path: str) -> Callable[[Facts], str]:
    source = attrgetter(path)

    def read(facts: Facts) -> str:
        known = facts.folded.get(path)
        if known is None:
            known = facts.folded[path] = fold(source(facts))
        return known

    return read


def _id(path: str, *, personal: bool = False) -> Field:
    return Field(Kind.ID, attrgetter(path), personal=personal)


def _people(path: str) -> Field:
    return Field(Kind.TEXT, _text(path), personal=True)


def _field(kind: Kind, path: str) -> Field:
    return Field(kind, attrgetter(path))


def _choice(path: str, words: type[StrEnum]) -> Field:
    return Field(Kind.CHOICE, attrgetter(path), frozenset(words))


FIELDS: Mapping[str, Field] = {
    "order_id": _id("order.internal_order_id"),
    "channel": _id("order.channel"),
    "shop_id": _id("order.shop_id"),
    "platform_order_id": _id("order.platform_order_id"),
    "order_type": _choice("order.order_type", OrderType),
    "platform_status": _id("order.platform_status"),
    "status": _choice("order.status", OrderStatus),
    "buyer_id": _id("order.buyer_id", personal=True),
    "receiver_key": _id("order.receiver_key", personal=True),
    "receiver_name": _people("order.receiver_name"),
    "receiver_phone": _people("order.receiver_phone"),
    "province": _people("order.province"),
    "city": _people("order.city"),
    "district": _people("order.district"),
    "address_detail": _people("order.address_detail"),
    "address": _people("address"),
    "freight": _field(Kind.MONEY, "order.freight_minor"),
    "discount_seller": _field(Kind.MONEY, "order.discount_seller_minor"),
    "discount_platform": _field(Kind.MONEY, "order.discount_platform_minor"),
    "paid": _field(Kind.MONEY, "order.paid_minor"),
    "goods": _field(Kind.MONEY, "goods"),
    "amount": _field(Kind.MONEY, "amount"),
    "units": _field(Kind.NUMBER, "units"),
    "lines": _field(Kind.NUMBER, "count"),
    "created_at": _field(Kind.TIME, "order.created_at"),
    "paid_at": _field(Kind.TIME, "order.paid_at"),
    "updated_at": _field(Kind.TIME, "order.updated_at"),
    "currency": _id("currency"),
    "adapter": _id("envelope.adapter"),
    "payment_method": _id("envelope.payment_method"),
    "vip_level": _field(Kind.NUMBER, "envelope.vip_level"),
    "fragile": _field(Kind.FLAG, "envelope.fragile"),
    "promised_ship_at": _field(Kind.TIME, "envelope.promised_ship_at"),
    "sub_pool": _choice("envelope.sub_pool", SubPool),
    "may_split": _field(Kind.FLAG, "envelope.may_split"),
    "holds_unpaid": _field(Kind.FLAG, "envelope.holds_unpaid"),
}
"""The fields of an order, by the name that a rule uses. The line's five are in LINE_FIELDS."""

LINE_FIELDS: Mapping[str, Field] = {
    "line_id": _id("line.line_id"),
    "platform_sku_id": _id("line.platform_sku_id"),
    "sku": _id("line.merchant_sku"),
    "quantity": _field(Kind.NUMBER, "line.quantity"),
    "unit_price": _field(Kind.MONEY, "line.unit_price_minor"),
    "line_total": _field(Kind.MONEY, "total"),
}
"""The fields of one line."""
SUMMED = ("quantity", "line_total")
"""The fields of a line that can be summed."""
