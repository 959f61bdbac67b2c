"""Parts that are sent again: from another warehouse, because theirs is closed, or to another address.

First the new part's units are allocated; then the old part is stopped; only when it is proven that it will not leave is
the new part shipped, and what the old one had is free. The order's hold in reservation is not touched by any of it. A
part that turns out to have left stays, and the new allocation is given back.

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
from pipeline.domain.routing.by_plan import score_of
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
    from pipeline.domain.routing.scores import Candidate
    from pipeline.domain.routing.values import FloorPart, State
    from pipeline.domain.routing_commands import RedirectRoute, ReportStop

REROUTES_PER_TICK_MAX = 200
EXAMINED_PER_TICK_MAX = 2000
"""Of the parts of a closed warehouse so many are looked at at a time, others at the next tick."""
NUMBER_STEP = 10_000
"""A part that is sent again counts on from its number by so much: part 2 becomes 10002, then 20002."""
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
    """Send parts of closed warehouses from others that have all of a part; where none has, it waits."""
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
    """Find another warehouse for a part."""
    order_id, waiting, number = order_of(name), state.floor[name], renumbered(name)
    route, ship_to = state.routes.get(order_id), state.addresses.get(order_id)
    if not is_movable(state, name, waiting, route) or route is None or ship_to is None or not number:
        return None
    old = next(part for part in route.outstanding if part.fulfilment_id == name)
    wanted = Wanted(waiting.pool, old.units, ship_to.province, ship_to.city, waiting.priority, at)
    found, counts = compared(state, wanted, plan), [unit.units for unit in old.units]
    shares = choose([candidate for candidate in found if candidate.standing != CLOSED], counts, plan.water_line)
    if len(shares) != 1:
        return None
    return RerouteStarted(
        order_id=order_id,
        at=at,
        pool=waiting.pool,
        fulfilment_id=name,
        part=_part(number, old, waiting, shares[0].candidate),
        scores=tuple(score_of(candidate, counts) for candidate in found),
        reason=reasons.WAREHOUSE_CLOSED,
        rule_version=plan.version,
    )


def is_movable(state: State, name: str, waiting: FloorPart | None, route: Route | None) -> bool:
    """Say whether a part may still be in its warehouse, and nobody is after it."""
    if route is None or route.state is not RouteState.ROUTED or name in state.moves:
        return False
    return waiting is None or not (waiting.is_out or waiting.stays)


def renumbered(name: str) -> str:
    """Give the id of a part that is sent again; empty when it was often enough."""
    order_id, _, number = name.rpartition("-")
    after = int(number) + NUMBER_STEP
    return f"{order_id}-{after}" if after < NUMBER_STEP * (REROUTES_PER_PART_MAX + 1) else ""


def _part(number: str, old: Part, waiting: FloorPart, candidate: Candidate) -> RoutePart:
    return RoutePart(
        fulfilment_id=number,
        warehouse=candidate.name,
        units=old.units,
        value_minor=waiting.value_minor,
        paid_minor=waiting.paid_minor,
        deliver_by=candidate.deliver_by,
        priority=waiting.priority,
        same_city=candidate.same_city,
    )


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
    """Take the answer to a stop: go on with the new part, or with the old one. `standing`: where the order stands."""
    order_id, at, pool, name = command.order_id, command.at, command.pool, command.fulfilment_id
    move, route = state.moves.get(name), state.routes.get(order_id)
    if move is None or route is None:
        yield RouteRepeated(order_id=order_id, at=at, from_state=standing, to_state=standing, kind="stop")
        return
    old = next(part for part in route.outstanding if part.fulfilment_id == name)
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
        yield from _goes_on(state, command, old, route)


def _goes_on(state: State, command: ReportStop, old: Part, route: Route) -> Iterator[MoveAnswer]:
    """Ship the new part in the old one's place."""
    order_id, at, pool = command.order_id, command.at, command.pool
    move, waiting, ship_to = (
        state.moves[old.fulfilment_id],
        state.floor.get(old.fulfilment_id),
        state.addresses[order_id],
    )
    part = RoutePart(
        fulfilment_id=move.fulfilment_id,
        warehouse=move.warehouse,
        units=old.units,
        value_minor=0 if waiting is None else waiting.value_minor,
        paid_minor=0 if waiting is None else waiting.paid_minor,
        deliver_by=move.deliver_by,
        priority=0 if waiting is None else waiting.priority,
        same_city=move.same_city,
    )
    yield PartRerouted(
        order_id=order_id, at=at, pool=pool, fulfilment_id=old.fulfilment_id, part=part, reason=move.reason
    )
    yield IssueWaybill(
        at=at,
        fulfilment_id=part.fulfilment_id,
        fulfilment=fulfilment_of(order_id, pool, part, route.parts),
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
        number = renumbered(name)
        if name in state.moves:
            continue
        if not number or not is_movable(state, name, state.floor.get(name), route):
            yield _too_late(command, name)
            continue
        move = RerouteStarted(
            order_id=order_id,
            at=at,
            pool=pool,
            fulfilment_id=name,
            part=_same_place(state, command, part, number),
            reason=reasons.ADDRESS_CHANGED,
        )
        yield move
        yield _stop(state, move)


def _same_place(state: State, command: RedirectRoute, part: Part, number: str) -> RoutePart:
    """Give a part as it goes to its new address from where it is."""
    again = RoutePart(fulfilment_id=number, warehouse=part.warehouse, units=part.units)
    plan, waiting = state.plans.get(command.pool), state.floor.get(part.fulfilment_id)
    if plan is None or waiting is None:
        return again
    ship_to = command.ship_to
    wanted = Wanted(command.pool, part.units, ship_to.province, ship_to.city, waiting.priority, command.at)
    here = next(candidate for candidate in compared(state, wanted, plan) if candidate.name == part.warehouse)
    return _part(number, part, waiting, here)
