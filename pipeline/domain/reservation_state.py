"""What reservation remembers, and how its events change that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

import msgspec

from pipeline.domain.errors import InvariantError
from pipeline.domain.events import (
    CancelRequested,
    HoldConsumed,
    HoldPlaced,
    HoldRefused,
    HoldReleased,
    HoldRepeated,
    OrderCancelled,
    StockAdjusted,
    StockFeedRefused,
    StockFeedRepeated,
    StockReceived,
    WarehouseRegistered,
)
from pipeline.domain.orders import SkuUnits

if TYPE_CHECKING:
    from collections.abc import MutableMapping

Event = (
    HoldPlaced
    | HoldRefused
    | HoldRepeated
    | HoldConsumed
    | HoldReleased
    | CancelRequested
    | OrderCancelled
    | WarehouseRegistered
    | StockReceived
    | StockAdjusted
    | StockFeedRepeated
    | StockFeedRefused
)


class Balance(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A SKU's units in a pool: 0 <= held <= on_hand."""

    on_hand: int
    held: int


EMPTY = Balance(0, 0)


class HoldState(StrEnum):
    """What became of the request to hold an order's units."""

    HELD = "locked"
    REFUSED = "refused"
    CANCELLING = "cancelling"


class Hold(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order's hold: the units still outstanding, and the parts that are settled, by their way (`part_of`)."""

    state: HoldState
    units: tuple[SkuUnits, ...] = ()
    consumed: tuple[str, ...] = ()
    released: tuple[str, ...] = ()

    def is_settled(self) -> bool:
        """Say whether nothing is held any more."""
        return not self.units


class Network(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A pool's warehouses."""

    warehouses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """`stock` by `pool|SKU`, `holds` by order id, `feeds` (the feed's time) by `pool|feed id`, `networks` by pool."""

    stock: MutableMapping[str, Balance]
    holds: MutableMapping[str, Hold]
    feeds: MutableMapping[str, int]
    networks: MutableMapping[str, Network]


def part_of(order_id: str, fulfilment_id: str) -> str:
    """Give what tells an order's parts apart: the hold's key says the rest of the fulfilment id already."""
    return fulfilment_id.removeprefix(order_id)


def evolve(state: State, event: Event) -> None:
    """Apply an event."""
    match event:
        case HoldPlaced():
            state.holds[event.order_id] = Hold(HoldState.HELD, event.units)
            _change(state, event.pool, event.units, 0, 1)
        case HoldRefused():
            state.holds[event.order_id] = Hold(HoldState.REFUSED)
        case HoldConsumed():
            _settle(state, event)
            _change(state, event.pool, event.units, -1, -1)
        case HoldReleased():
            _settle(state, event)
            _change(state, event.pool, event.units, 0, -1)
        case CancelRequested():
            hold = state.holds[event.order_id]
            state.holds[event.order_id] = Hold(HoldState.CANCELLING, hold.units, hold.consumed, hold.released)
        case HoldRepeated() | OrderCancelled() | StockFeedRepeated():
            pass
        case WarehouseRegistered() | StockReceived() | StockAdjusted() | StockFeedRefused():
            state.feeds[f"{event.pool}|{event.feed_id}"] = event.at
            _feed(state, event)
        case _:
            assert_never(event)


def _change(state: State, pool: str, units: tuple[SkuUnits, ...], on_hand: int, held: int) -> None:
    """Move units: `on_hand` and `held` say by which multiple of each."""
    prefix, stock = f"{pool}|", state.stock
    for unit in units:
        key, count = prefix + unit.sku, unit.units
        before = stock.get(key, EMPTY)
        after = Balance(before.on_hand + on_hand * count, before.held + held * count)
        if not 0 <= after.held <= after.on_hand:
            message = f"{key}: {after.held} units held of {after.on_hand}, before it were {before}"
            raise InvariantError(message)
        stock[key] = after


def _settle(state: State, event: HoldConsumed | HoldReleased) -> None:
    """Take a fulfilment order's units out of its hold."""
    hold, part = state.holds[event.order_id], part_of(event.order_id, event.fulfilment_id)
    left = {unit.sku: unit.units for unit in hold.units}
    for unit in event.units:
        left[unit.sku] = left.get(unit.sku, 0) - unit.units
    if any(units < 0 for units in left.values()):
        message = f"{event.fulfilment_id}: settles {event.units} of a hold of {hold.units}"
        raise InvariantError(message)
    consumed, released = hold.consumed, hold.released
    if part in consumed or part in released:
        message = f"{event.fulfilment_id}: settled twice"
        raise InvariantError(message)
    if isinstance(event, HoldConsumed):
        consumed += (part,)
    else:
        released += (part,)
    units = tuple(SkuUnits(sku, count) for sku, count in left.items() if count)
    state.holds[event.order_id] = Hold(hold.state, units, consumed, released)


def _feed(state: State, event: WarehouseRegistered | StockReceived | StockAdjusted | StockFeedRefused) -> None:
    """Apply what a warehouse said."""
    match event:
        case WarehouseRegistered():
            known = state.networks.get(event.pool, Network(()))
            if event.warehouse not in known.warehouses:
                state.networks[event.pool] = Network((*known.warehouses, event.warehouse))
        case StockReceived():
            _change(state, event.pool, event.units, 1, 0)
        case StockAdjusted():
            _change(state, event.pool, (SkuUnits(event.sku, event.change_units),), 1, 0)
        case StockFeedRefused():
            pass
        case _:
            assert_never(event)
