"""The notes: what a stage must remember and nobody else may read, such as where an unpaid order goes.

A note is folded into the stage's tables like an event, and like one it is all that `evolve` gets. But it goes nowhere
else: order.events carries no personal data, so a note lives in the changelog alone, and is dropped when it has served.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.commands import Fulfilment
from pipeline.domain.orders import ShipTo, SkuUnits, SubPool


class Note(msgspec.Struct, frozen=True, kw_only=True, tag_field="note", tag=True, gc=False):
    """A fact for the stage's own tables."""


class FulfilmentNoted(Note, frozen=True, kw_only=True):
    """What the next calls to a carrier need."""

    fulfilment_id: str
    fulfilment: Fulfilment
    ship_to: ShipTo | None = None


class HoldNoted(Note, frozen=True, kw_only=True):
    """What an order will be routed with that is not routed yet; from reservation."""

    order_id: str
    pool: str
    units: tuple[SkuUnits, ...]
    ship_to: ShipTo
    sub_pool: SubPool
    may_split: bool
    priority: int
    since: int
    expires_at: int | None = None
    stock_gate: str = ""
    values_minor: tuple[int, ...] = ()
    paid_minor: int = 0


class BuyerNoted(Note, frozen=True, kw_only=True):
    """What a buyer was given of flash sales that have a limit for each."""

    pool: str
    buyer: str
    units: tuple[SkuUnits, ...]


class AddressNoted(Note, frozen=True, kw_only=True):
    """Where an order goes by now; in reservation until it is routed, in routing while a part may be sent again."""

    order_id: str
    ship_to: ShipTo


class StopNoted(Note, frozen=True, kw_only=True):
    """A fulfilment order is being stopped so that another one takes its place: routing waits for what comes of it."""

    fulfilment_id: str
    at: int
