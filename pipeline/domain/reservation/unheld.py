"""Parcels that left although it was proven that they would not: no hold has their units any more.

The proof (a void that its carrier confirmed) freed the units, or let another parcel ship them; then the carrier had the
parcel all the same. It did leave, so its units come off what is in stock and off its warehouse's shelf, as an
adjustment under an id of its own, which names the parcel. Where other orders hold them by now, nothing is taken, and a
refused adjustment says so: a person must decide what gives way, and a count finds the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain import reasons
from pipeline.domain.commands import ConsumeHold, ReleaseHold
from pipeline.domain.events import StockAdjusted, StockFeedRefused
from pipeline.domain.reservation.answers import Answers, repeated
from pipeline.domain.reservation.state import part_of
from pipeline.domain.reservation.values import EMPTY
from pipeline.domain.routing_commands import SettleAllocation

if TYPE_CHECKING:
    from pipeline.domain.orders import SkuUnits
    from pipeline.domain.reservation.state import State

NOT_OUTSTANDING = "not outstanding"
"""Another part took the units out of the hold."""


def unheld(state: State, command: ConsumeHold | ReleaseHold, answer: str) -> Answers:
    """Take a part that cannot be settled; `answer` says why."""
    again = repeated(command, command.order_id, answer)
    if isinstance(command, ReleaseHold):
        return (again,) if answer != NOT_OUTSTANDING else (again, _settled(command, shipped=False))
    feed_id, hold = f"shipped|{command.fulfilment_id}", state.holds.get(command.order_id)
    was_released = hold is not None and part_of(command.order_id, command.fulfilment_id) in hold.released
    if (answer != NOT_OUTSTANDING and not was_released) or f"{command.pool}|{feed_id}" in state.feeds:
        return (again,)
    short = _held_by_others(state, command)
    if short is None:
        taken = [_adjusted(command, feed_id, unit) for unit in command.units]
        return again, *taken, _settled(command, shipped=True)
    refused = StockFeedRefused(
        order_id=command.order_id,
        at=command.at,
        pool=command.pool,
        feed_id=feed_id,
        warehouse=command.warehouse,
        sku=short.sku,
        change_units=-short.units,
        reason=reasons.SHIPPED_UNHELD,
    )
    return again, refused, _settled(command, shipped=False)


def _held_by_others(state: State, command: ConsumeHold) -> SkuUnits | None:
    """Give the first of a parcel's units that is not free."""
    for unit in command.units:
        balance = state.stock.get(f"{command.pool}|{unit.sku}", EMPTY)
        if not command.warehouse or balance.on_hand - unit.units < balance.held:
            return unit
    return None


def _adjusted(command: ConsumeHold, feed_id: str, unit: SkuUnits) -> StockAdjusted:
    return StockAdjusted(
        order_id=command.order_id,
        at=command.at,
        pool=command.pool,
        feed_id=feed_id,
        warehouse=command.warehouse,
        sku=unit.sku,
        change_units=-unit.units,
        reason=reasons.SHIPPED_UNHELD,
    )


def _settled(command: ConsumeHold | ReleaseHold, *, shipped: bool) -> SettleAllocation:
    return SettleAllocation(
        at=command.at,
        pool=command.pool,
        order_id=command.order_id,
        fulfilment_id=command.fulfilment_id,
        shipped=shipped,
        warehouse=command.warehouse if isinstance(command, ConsumeHold) else "",
        units=command.units if shipped else (),
    )
