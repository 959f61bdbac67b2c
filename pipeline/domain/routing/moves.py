"""Parts that are sent again: from other warehouses, because theirs is closed, or to another address.

First the new parts' units are allocated; then the old part is stopped; only when it is proven that it will not leave
are the new parts shipped, and what the old one had is free. The order's hold in reservation is not touched by any of
it. A part that turns out to have left stays, and the new allocation is given back.

The new parts are chosen as a new order's are (`by_plan`): the fewest open warehouses that can ship it together, packed
by the plan's rules. Where the open ones cannot ship all of it, it waits where its units are, as a new order's would.

    RerouteStarted, CancelFulfilment(keeps_hold) ─▶ waybill ─▶ ReportStop ─▶ PartRerouted, IssueWaybill
                                                                         └▶ RerouteAbandoned
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.domain import reasons
from pipeline.domain.commands import CancelFulfilment, Fulfilment, IssueWaybill, ReleaseHold
from pipeline.domain.notes import AddressNoted
from pipeline.domain.orders import order_of
from pipeline.domain.routing.by_plan import Money, parcels_of, part_of, score_of, with_money
from pipeline.domain.routing.choice import choose
from pipeline.domain.routing.floor_state import LEFT, evolve_floor
from pipeline.domain.routing.scores import CLOSED, Wanted, compared
from pipeline.domain.routing.values import Part, Route, RouteState
from pipeline.domain.routing_floor_events import AddressChangeRefused, PartRerouted, RerouteAbandoned, RerouteStarted
from pipeline.domain.shipping_events import RoutePart, RouteRepeated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.domain.commands import Tick
    from pipeline.domain.routing.plan import RoutingPlan
    from pipeline.domain.routing.values import FloorPart, Move, State
    from pipeline.domain.routing_commands import RedirectRoute, ReportStop

REROUTES_PER_TICK_MAX = 200
EXAMINED_PER_TICK_MAX = 2000
"""Of the parts of a closed warehouse so many are looked at at a time, others at the next tick."""
NUMBER_STEP, PLACE_STEP, PLACES_MAX = 10_000, 100_000, 100
"""A part that is sent again counts on from its number: part 2 becomes 10002, then 20002. Where several take its place,
the others have their place among them before that, two digits for each time: 110002, 210002. So no number comes twice.
"""
REROUTES_PER_PART_MAX = 9
FREED = "freed"

MoveAnswer = (
    RerouteStarted
    | PartRerouted
    | RerouteAbandoned
    | AddressChangeRefused
    | AddressNoted
    | RouteRepeated
    | CancelFulfilment
    | IssueWaybill
    | ReleaseHold
)


def rerouted(state: State, tick: Tick) -> Iterator[MoveAnswer]:
    """Send parts of closed warehouses from others."""
    scratch = replace(state, shelves=ChainMap({}, state.shelves), moves=ChainMap({}, state.moves))
    started = 0
    for key in sorted(state.closures):
        plan = state.plans.get(key.partition("|")[0])
        if plan is None:
            continue
        for name in _examined(state, key, tick.at):
            if started >= REROUTES_PER_TICK_MAX:
                return
            move = _elsewhere(scratch, name, plan, tick.at)
            if move is not None:
                evolve_floor(scratch, move)
                yield move
                yield _stop(state, move)
                started += 1


def _examined(state: State, key: str, at: int) -> list[str]:
    """Give the parts in a warehouse, first of all those of a high priority; of very many a part, another each time."""
    floor = state.floor
    names = sorted(state.present.of(state.floor, key), key=lambda name: (-floor[name].priority, floor[name].at, name))
    if len(names) <= EXAMINED_PER_TICK_MAX:
        return names
    begin = at // 1000 * EXAMINED_PER_TICK_MAX % len(names)
    return [*names[begin:], *names[:begin]][:EXAMINED_PER_TICK_MAX]


def _elsewhere(state: State, name: str, plan: RoutingPlan, at: int) -> RerouteStarted | None:
    """Find other warehouses for a part."""
    order_id, waiting = order_of(name), state.floor[name]
    route, ship_to = state.routes.get(order_id), state.addresses.get(order_id)
    if not is_movable(state, name, waiting, route) or route is None or ship_to is None:
        return None
    old = next(part for part in route.outstanding if part.fulfilment_id == name)
    wanted = Wanted(waiting.pool, old.units, ship_to.province, ship_to.city, waiting.priority, at)
    found, counts = compared(state, wanted, plan), [unit.units for unit in old.units]
    shares = choose([candidate for candidate in found if candidate.standing != CLOSED], counts, plan.water_line)
    parcels = parcels_of(state, wanted, plan, shares)
    names = renumbered(name, len(parcels))
    if not names:
        return None
    money = Money(old.units, old.values_minor, old.paid_minor)
    parts = [
        part_of(each, candidate, units, waiting.priority)
        for each, (candidate, units) in zip(names, parcels, strict=True)
    ]
    return RerouteStarted(
        order_id=order_id,
        at=at,
        pool=waiting.pool,
        fulfilment_id=name,
        new_parts=with_money(parts, money),
        scores=tuple(score_of(candidate, counts) for candidate in found),
        reason=reasons.WAREHOUSE_CLOSED,
        rule_version=plan.version,
    )


def is_movable(state: State, name: str, waiting: FloorPart | None, route: Route | None) -> bool:
    """Say whether a part may still be in its warehouse, and nobody is after it."""
    if route is None or route.state is not RouteState.ROUTED or name in state.moves:
        return False
    return waiting is None or not (waiting.is_out or waiting.stays)


def renumbered(name: str, parts: int = 1) -> tuple[str, ...]:
    """Give the ids of so many parts that take one's place; none when it was often enough, or they are too many."""
    order_id, _, number = name.rpartition("-")
    times = int(number) % PLACE_STEP // NUMBER_STEP
    if times >= REROUTES_PER_PART_MAX or parts > PLACES_MAX:
        return ()
    first, step = int(number) + NUMBER_STEP, PLACE_STEP * PLACES_MAX**times
    return tuple([f"{order_id}-{first + step * place}" for place in range(parts)])


def _stop(state: State, move: RerouteStarted) -> CancelFulfilment:
    route = state.routes[move.order_id]
    old = next(part for part in route.outstanding if part.fulfilment_id == move.fulfilment_id)
    return CancelFulfilment(
        at=move.at,
        fulfilment_id=move.fulfilment_id,
        fulfilment=fulfilment_of(move.order_id, move.pool, old, route.parts),
        reason=move.reason,
        keeps_hold=True,
    )


def fulfilment_of(order_id: str, pool: str, part: RoutePart | Part, parts: int) -> Fulfilment:
    """Give what waybill must know of a part."""
    return Fulfilment(
        fulfilment_id=part.fulfilment_id,
        order_id=order_id,
        pool=pool,
        warehouse=part.warehouse,
        parts=parts,
        units=part.units,
    )


def reported(state: State, command: ReportStop, standing: str) -> Iterator[MoveAnswer]:
    """Take the answer to a stop: go on with the new parts, or with the old one. `standing`: where the order stands."""
    order_id, at, pool, name = command.order_id, command.at, command.pool, command.fulfilment_id
    move, route = state.moves.get(name), state.routes.get(order_id)
    old = next((part for part in (() if route is None else route.outstanding) if part.fulfilment_id == name), None)
    if move is None or route is None or old is None:
        yield RouteRepeated(order_id=order_id, at=at, from_state=standing, to_state=standing, kind="stop")
        return
    if not command.stopped:
        yield RerouteAbandoned(
            order_id=order_id, at=at, to_state=LEFT, pool=pool, fulfilment_id=name, reason=reasons.TOO_LATE
        )
        if move.reason == reasons.ADDRESS_CHANGED:
            yield _too_late(command, name)
    elif route.state is not RouteState.ROUTED:
        yield RerouteAbandoned(
            order_id=order_id, at=at, to_state=FREED, pool=pool, fulfilment_id=name, reason=reasons.CANCELLED
        )
        yield ReleaseHold(
            at=at, pool=pool, order_id=order_id, fulfilment_id=name, units=old.units, reason=reasons.CANCELLED
        )
    else:
        yield from _goes_on(state, command, move, route.parts)


def _goes_on(state: State, command: ReportStop, move: Move, parts: int) -> Iterator[MoveAnswer]:
    """Ship the new parts in the place of one of an order's `parts`."""
    order_id, at, pool = command.order_id, command.at, command.pool
    parts += len(move.parts) - 1
    yield PartRerouted(
        order_id=order_id,
        at=at,
        pool=pool,
        fulfilment_id=command.fulfilment_id,
        new_parts=move.parts,
        parts=parts,
        reason=move.reason,
    )
    ship_to = state.addresses[order_id]
    for part in move.parts:
        yield IssueWaybill(
            at=at,
            fulfilment_id=part.fulfilment_id,
            fulfilment=fulfilment_of(order_id, pool, part, parts),
            ship_to=ship_to,
        )


def _too_late(command: ReportStop | RedirectRoute, name: str) -> AddressChangeRefused:
    return AddressChangeRefused(
        order_id=command.order_id, at=command.at, pool=command.pool, fulfilment_id=name, reason=reasons.TOO_LATE
    )


def redirected(state: State, command: RedirectRoute, standing: str) -> Iterator[MoveAnswer]:
    """Send an order elsewhere: its parts that have not left get a new waybill, from the warehouse that they are in."""
    order_id, at, pool = command.order_id, command.at, command.pool
    route = state.routes.get(order_id)
    if route is None or route.state is not RouteState.ROUTED or not route.outstanding:
        yield AddressChangeRefused(
            order_id=order_id, at=at, from_state=standing, to_state=standing, pool=pool, reason=reasons.TOO_LATE
        )
        return
    if state.addresses.get(order_id) == command.ship_to:
        yield RouteRepeated(order_id=order_id, at=at, from_state=standing, to_state=standing, kind="redirect")
        return
    yield AddressNoted(order_id=order_id, ship_to=command.ship_to)
    for part in route.outstanding:
        name = part.fulfilment_id
        again = renumbered(name)
        if name in state.moves:
            continue
        if not again or not is_movable(state, name, state.floor.get(name), route):
            yield _too_late(command, name)
            continue
        move = RerouteStarted(
            order_id=order_id,
            at=at,
            pool=pool,
            fulfilment_id=name,
            new_parts=(_same_place(state, command, part, *again),),
            reason=reasons.ADDRESS_CHANGED,
        )
        yield move
        yield _stop(state, move)


def _same_place(state: State, command: RedirectRoute, part: Part, name: str) -> RoutePart:
    """Give a part as it goes to its new address from where it is."""
    plan, waiting = state.plans.get(command.pool), state.floor.get(part.fulfilment_id)
    money = Money(part.units, part.values_minor, part.paid_minor)
    if plan is None or waiting is None:
        return with_money([RoutePart(fulfilment_id=name, warehouse=part.warehouse, units=part.units)], money)[0]
    ship_to = command.ship_to
    wanted = Wanted(command.pool, part.units, ship_to.province, ship_to.city, waiting.priority, command.at)
    here = next(candidate for candidate in compared(state, wanted, plan) if candidate.name == part.warehouse)
    again = part_of(name, here, part.units, waiting.priority)
    return with_money([again], money)[0]
