"""The warehouse floor of a pool with a plan: waves and pick lists, scans, and the express lane.

A wave begins at each of the plan's minutes of the day, with the first tick from then on: of the parts that wait in a
warehouse it takes so many as the plan allows, those of a high priority first, then those for the warehouse's own city,
then the oldest. From `express_priority` on a part waits for no wave. A scanner's item must belong into the part; its
outbound scan consumes the hold, as the carrier's first report does: whichever comes first counts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.domain import reasons
from pipeline.domain.commands import ConsumeHold
from pipeline.domain.local_time import CHINA_MS, day_of, minute_of, moment
from pipeline.domain.orders import SkuUnits, order_of
from pipeline.domain.routing.moves import is_movable
from pipeline.domain.routing.values import RouteState
from pipeline.domain.routing_commands import ScanItem
from pipeline.domain.routing_floor_events import (
    ItemScanned,
    PartReleased,
    PartRerouted,
    PartScannedOut,
    PickListMade,
    RouteExpedited,
    ScanMismatched,
    WaveStarted,
)
from pipeline.domain.shipping_events import RouteRepeated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.domain.commands import Tick
    from pipeline.domain.routing.plan import RoutingPlan
    from pipeline.domain.routing.values import FloorPart, Part, State
    from pipeline.domain.routing_commands import ExpediteRoute, ScanOutbound
    from pipeline.domain.shipping_events import RoutePart

PICK_LIST_PARTS_MAX = 50
EXPRESS = "express"

WaveAnswer = WaveStarted | PartReleased | PickListMade
ScanAnswer = ItemScanned | ScanMismatched | PartScannedOut | RouteRepeated | ConsumeHold


def waves(state: State, tick: Tick) -> Iterator[WaveAnswer]:
    """Begin the waves that are due."""
    for pool in sorted(state.plans):
        plan, known = state.plans[pool], state.warehouses.get(pool)
        if not plan.wave_minutes or known is None:
            continue
        starts_at = _newest_wave(plan, tick.at)
        for warehouse in known.warehouses:
            key = f"{pool}|{warehouse.name}"
            if key not in state.closures and state.waves.get(key, 0) < starts_at:
                yield from _wave(state, tick.at, (pool, warehouse.name), starts_at)


def _newest_wave(plan: RoutingPlan, at: int) -> int:
    day, minute = day_of(at), minute_of(at)
    begun = [start for start in plan.wave_minutes if start <= minute]
    return moment(day, begun[-1]) if begun else moment(day - 1, plan.wave_minutes[-1])


def _wave(state: State, at: int, place: tuple[str, str], starts_at: int) -> Iterator[WaveAnswer]:
    """Take a warehouse's waiting parts into a wave, as many as it picks."""
    pool, warehouse = place
    plan = state.plans[pool]
    waiting = [name for name in state.present.of(state.floor, f"{pool}|{warehouse}") if _waits(state, name)]
    waiting.sort(key=lambda name: _turn(name, state.floor[name]))
    taken = waiting[: plan.wave_parts_max]
    wave = datetime.fromtimestamp((starts_at + CHINA_MS) / 1000, UTC).strftime("%Y%m%d-%H%M")
    yield WaveStarted(
        at=at,
        pool=pool,
        warehouse=warehouse,
        wave=wave,
        starts_at=starts_at,
        parts=len(taken),
        left=len(waiting) - len(taken),
        rule_version=plan.version,
    )
    for number, begin in enumerate(range(0, len(taken), PICK_LIST_PARTS_MAX), 1):
        yield from _picked(state, at, taken[begin : begin + PICK_LIST_PARTS_MAX], (wave, number))


def _waits(state: State, name: str) -> bool:
    part = state.floor[name]
    return not part.wave and is_movable(state, name, part, state.routes.get(order_of(name)))


def _turn(name: str, part: FloorPart) -> tuple[int, bool, int, str]:
    return -part.priority, not part.same_city, part.at, name


def _picked(state: State, at: int, names: Sequence[str], of_list: tuple[str, int]) -> Iterator[WaveAnswer]:
    """Release some parts, with one pick list."""
    wave, number = of_list
    sums: dict[str, int] = {}
    for name in names:
        part, order_id = state.floor[name], order_of(name)
        yield PartReleased(
            order_id=order_id,
            at=at,
            pool=part.pool,
            fulfilment_id=name,
            warehouse=part.warehouse,
            wave=wave,
            pick_list=number,
        )
        for unit in _outstanding(state, order_id, name).units:
            sums[unit.sku] = sums.get(unit.sku, 0) + unit.units
    first = state.floor[names[0]]
    units = tuple(SkuUnits(sku, sums[sku]) for sku in sorted(sums))
    yield PickListMade(
        at=at, pool=first.pool, warehouse=first.warehouse, wave=wave, pick_list=number, parts=len(names), units=units
    )


def _outstanding(state: State, order_id: str, name: str) -> Part:
    return next(part for part in state.routes[order_id].outstanding if part.fulfilment_id == name)


def express(order_id: str, at: int, pool: str, part: RoutePart | Part) -> tuple[PartReleased, PickListMade]:
    """Release a part at once, with a pick list of its own."""
    name, warehouse, units = part.fulfilment_id, part.warehouse, tuple(sorted(part.units, key=lambda unit: unit.sku))
    released = PartReleased(
        order_id=order_id,
        at=at,
        pool=pool,
        fulfilment_id=name,
        warehouse=warehouse,
        wave=EXPRESS,
        pick_list=0,
    )
    return released, PickListMade(
        at=at, pool=pool, warehouse=warehouse, wave=EXPRESS, pick_list=0, parts=1, units=units
    )


def is_express(state: State, pool: str, warehouse: str, priority: int) -> bool:
    """Say whether a part of a priority waits for no wave."""
    plan = state.plans.get(pool)
    limit = 0 if plan is None or not plan.wave_minutes else plan.express_priority
    return 0 < limit <= priority and f"{pool}|{warehouse}" not in state.closures


def expedited(
    state: State, command: ExpediteRoute, standing: str
) -> Iterator[RouteExpedited | RouteRepeated | WaveAnswer]:
    """Let an order's waiting parts go before others, also those that will wait elsewhere."""
    order_id, at, pool, priority = command.order_id, command.at, command.pool, command.priority
    route = state.routes.get(order_id)
    parts = () if route is None or route.state is not RouteState.ROUTED else route.outstanding
    here = [part for part in parts if part.fulfilment_id in state.floor]
    hurried = [
        part
        for part in here
        if (part.fulfilment_id in state.moves or _waits(state, part.fulfilment_id))
        and state.floor[part.fulfilment_id].priority < priority
    ]
    if not hurried:
        yield RouteRepeated(order_id=order_id, at=at, from_state=standing, to_state=standing, kind="expedite")
        return
    names = tuple(part.fulfilment_id for part in hurried)
    yield RouteExpedited(
        order_id=order_id, at=at, from_state=standing, to_state=standing, pool=pool, priority=priority, parts=names
    )
    for part in hurried:
        if part.fulfilment_id not in state.moves and is_express(state, pool, part.warehouse, priority):
            yield from express(order_id, at, pool, part)


def express_again(state: State, answers: Iterable[object]) -> Iterator[WaveAnswer]:
    """Release at once what takes the place of a part that waits for no wave."""
    for moved in answers:
        if isinstance(moved, PartRerouted) and moved.fulfilment_id in state.floor:
            priority = state.floor[moved.fulfilment_id].priority
            for part in moved.new_parts:
                if is_express(state, moved.pool, part.warehouse, priority):
                    yield from express(moved.order_id, moved.at, moved.pool, part)


def scanned(state: State, command: ScanItem, standing: str) -> ScanAnswer:
    """Check a scanned item against its part."""
    order_id, at, pool, name, sku = command.order_id, command.at, command.pool, command.fulfilment_id, command.sku
    waiting = state.floor.get(name)
    if waiting is None or not _may_leave(state, command, waiting):
        return _mismatched(command, reasons.NOT_TO_SHIP)
    wanted = {unit.sku: unit.units for unit in _outstanding(state, order_id, name).units}
    before = {unit.sku: unit.units for unit in waiting.scanned}
    if sku not in wanted:
        return _mismatched(command, reasons.NOT_IN_PART)
    if command.units > wanted[sku]:
        return _mismatched(command, reasons.TOO_MANY)
    if command.units <= before.get(sku, 0):
        return RouteRepeated(order_id=order_id, at=at, from_state=standing, to_state=standing, kind="scan")
    return ItemScanned(
        order_id=order_id,
        at=at,
        pool=pool,
        fulfilment_id=name,
        sku=sku,
        units=command.units,
        is_complete=before | {sku: command.units} == wanted,
    )


def _may_leave(state: State, command: ScanItem | ScanOutbound, waiting: FloorPart) -> bool:
    """Say whether a part may still leave by this warehouse's door: of this pool, not stopped, not gone."""
    route = state.routes.get(command.order_id)
    if route is None or route.state is not RouteState.ROUTED or waiting.is_out or waiting.pool != command.pool:
        return False
    name = command.fulfilment_id
    return name not in state.moves and any(part.fulfilment_id == name for part in route.outstanding)


def _mismatched(command: ScanItem | ScanOutbound, reason: str) -> ScanMismatched:
    return ScanMismatched(
        order_id=command.order_id,
        at=command.at,
        pool=command.pool,
        fulfilment_id=command.fulfilment_id,
        sku=command.sku if isinstance(command, ScanItem) else "",
        units=command.units if isinstance(command, ScanItem) else 0,
        reason=reason,
    )


def scanned_out(state: State, command: ScanOutbound, standing: str) -> tuple[ScanAnswer, ...]:
    """Let a part out, if it may leave and is complete; its units are consumed."""
    order_id, at, pool, name = command.order_id, command.at, command.pool, command.fulfilment_id
    waiting, plan = state.floor.get(name), state.plans.get(pool)
    if waiting is not None and waiting.is_out and waiting.pool == pool:
        return (RouteRepeated(order_id=order_id, at=at, from_state=standing, to_state=standing, kind="scan"),)
    if waiting is None or plan is None or not _may_leave(state, command, waiting):
        return (_mismatched(command, reasons.NOT_TO_SHIP),)
    part = _outstanding(state, order_id, name)
    counts = {unit.sku: unit.units for unit in waiting.scanned}
    if (counts or plan.checks_items) and counts != {unit.sku: unit.units for unit in part.units}:
        return (_mismatched(command, reasons.INCOMPLETE),)
    return (
        PartScannedOut(
            order_id=order_id, at=at, pool=pool, fulfilment_id=name, warehouse=part.warehouse, scan_id=command.scan_id
        ),
        ConsumeHold(
            at=at, pool=pool, order_id=order_id, fulfilment_id=name, units=part.units, warehouse=part.warehouse
        ),
    )
