"""How the events about routed parts change what routing remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import msgspec

from pipeline.domain.notes import AddressNoted
from pipeline.domain.orders import SkuUnits
from pipeline.domain.routing.values import Move, Part, Route, allocate, count_part, free, put_part, remembered
from pipeline.domain.routing_floor_events import (
    AddressChangeRefused,
    ItemScanned,
    PartReleased,
    PartRerouted,
    PartScannedOut,
    PickListMade,
    RerouteAbandoned,
    RerouteStarted,
    RouteExpedited,
    ScanMismatched,
    WaveStarted,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.domain.routing.values import FloorPart, State
    from pipeline.domain.shipping_events import RoutePart

MoveEvent = RerouteStarted | PartRerouted | RerouteAbandoned | AddressChangeRefused
PickEvent = RouteExpedited | WaveStarted | PartReleased | PickListMade | ItemScanned | ScanMismatched | PartScannedOut
FloorEvent = MoveEvent | PickEvent
LEFT = "left"
"""Where a part is that its carrier has."""
_replace = msgspec.structs.replace


def evolve_floor(state: State, event: FloorEvent | AddressNoted) -> None:
    """Apply an event about a routed part."""
    match event:
        case AddressNoted():
            state.addresses[event.order_id] = event.ship_to
        case AddressChangeRefused() | PickListMade() | ScanMismatched():
            pass
        case RerouteStarted() | PartRerouted() | RerouteAbandoned():
            _evolve_move(state, event)
        case _:
            _evolve_pick(state, event)


def _evolve_move(state: State, event: RerouteStarted | PartRerouted | RerouteAbandoned) -> None:
    old = next(part for part in state.routes[event.order_id].outstanding if part.fulfilment_id == event.fulfilment_id)
    match event:
        case RerouteStarted():
            state.moves[old.fulfilment_id] = Move(event.new_parts, event.reason)
            for part in _elsewhere(event.new_parts, old):
                allocate(state, event.pool, part)
        case PartRerouted():
            _replace_part(state, event, old)
        case RerouteAbandoned():
            give_up_move(state, event.pool, old)
            waiting = state.floor.get(old.fulfilment_id)
            if waiting is not None and event.to_state == LEFT:
                put_part(state, old.fulfilment_id, _replace(waiting, stays=True))
        case _:
            assert_never(event)


def _elsewhere(parts: Iterable[RoutePart], old: Part) -> list[RoutePart]:
    """Give the parts that another warehouse ships: for one that stays where it is nothing is allocated twice."""
    return [part for part in parts if part.warehouse != old.warehouse]


def give_up_move(state: State, pool: str, old: Part) -> None:
    """Free what was allocated for a part elsewhere, if it was to be sent again."""
    move = state.moves.pop(old.fulfilment_id, None)
    for part in () if move is None else _elsewhere(move.parts, old):
        free(state, pool, part, shipped=False)


def _replace_part(state: State, event: PartRerouted, old: Part) -> None:
    """Let new parts take the place of an old one, and free what the old one had."""
    route = state.routes[event.order_id]
    state.moves.pop(old.fulfilment_id)
    place = route.outstanding.index(old)
    again = tuple([remembered(new) for new in event.new_parts])
    outstanding = (*route.outstanding[:place], *again, *route.outstanding[place + 1 :])
    state.routes[event.order_id] = Route(route.state, event.parts, outstanding)
    waiting = state.floor.get(old.fulfilment_id)
    if waiting is not None:
        put_part(state, old.fulfilment_id, None)
        for new in event.new_parts:
            put_part(state, new.fulfilment_id, _waiting_again(waiting, new))
    moved = _elsewhere(event.new_parts, old)
    for new in moved:
        count_part(state, event.pool, new.warehouse, event.at)
    if moved:
        free(state, event.pool, old, shipped=False)


def _waiting_again(waiting: FloorPart, new: RoutePart) -> FloorPart:
    return _replace(waiting, warehouse=new.warehouse, same_city=new.same_city, wave="", scanned=())


def _evolve_pick(
    state: State, event: RouteExpedited | WaveStarted | PartReleased | ItemScanned | PartScannedOut
) -> None:
    match event:
        case RouteExpedited():
            for name in event.parts:
                put_part(state, name, _replace(state.floor[name], priority=event.priority))
        case WaveStarted():
            state.waves[f"{event.pool}|{event.warehouse}"] = event.starts_at
        case PartReleased():
            put_part(state, event.fulfilment_id, _replace(state.floor[event.fulfilment_id], wave=event.wave))
        case ItemScanned():
            part = state.floor[event.fulfilment_id]
            counts = {unit.sku: unit.units for unit in part.scanned} | {event.sku: event.units}
            scanned = tuple(SkuUnits(sku, counts[sku]) for sku in sorted(counts))
            put_part(state, event.fulfilment_id, _replace(part, scanned=scanned))
        case PartScannedOut():
            put_part(state, event.fulfilment_id, _replace(state.floor[event.fulfilment_id], is_out=True))
        case _:
            assert_never(event)
