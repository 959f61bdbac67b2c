"""How the events about routed parts change what routing remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import msgspec

from pipeline.domain.notes import AddressNoted
from pipeline.domain.orders import SkuUnits
from pipeline.domain.routing.values import Move, Part, Route, allocate, count_part, free, put_part
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
    from pipeline.domain.routing.values import State

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
        case RerouteStarted(part=part):
            state.moves[old.fulfilment_id] = Move(
                part.fulfilment_id, part.warehouse, event.reason, part.deliver_by, part.same_city
            )
            if part.warehouse != old.warehouse:
                allocate(state, event.pool, part)
        case PartRerouted():
            _replace_part(state, event, old)
        case RerouteAbandoned():
            move = state.moves.pop(old.fulfilment_id)
            if move.warehouse != old.warehouse:
                free(state, event.pool, Part(move.fulfilment_id, move.warehouse, old.units), shipped=False)
            waiting = state.floor.get(old.fulfilment_id)
            if waiting is not None and event.to_state == LEFT:
                put_part(state, old.fulfilment_id, _replace(waiting, stays=True))
        case _:
            assert_never(event)


def _replace_part(state: State, event: PartRerouted, old: Part) -> None:
    """Let a new part take the place of an old one, and free what the old one had."""
    new, route = event.part, state.routes[event.order_id]
    state.moves.pop(old.fulfilment_id)
    parts = tuple(
        Part(new.fulfilment_id, new.warehouse, new.units) if part is old else part for part in route.outstanding
    )
    state.routes[event.order_id] = Route(route.state, route.parts, parts)
    waiting = state.floor.get(old.fulfilment_id)
    if waiting is not None:
        put_part(state, old.fulfilment_id, None)
        again = _replace(waiting, warehouse=new.warehouse, same_city=new.same_city, wave="", scanned=())
        put_part(state, new.fulfilment_id, again)
    if new.warehouse != old.warehouse:
        free(state, event.pool, old, shipped=False)
        count_part(state, event.pool, new.warehouse, event.at)


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
