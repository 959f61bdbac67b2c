"""An order's parts by the plan in force, with what each is worth and when it should arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.domain.orders import SkuUnits, fulfilment_id
from pipeline.domain.routing.choice import choose
from pipeline.domain.routing.parcels import Units, packed, share_out, values_of
from pipeline.domain.routing.scores import Candidate, Wanted, compared
from pipeline.domain.shipping_events import RoutePart, RouteScore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.domain.routing.choice import Share
    from pipeline.domain.routing.plan import RoutingPlan
    from pipeline.domain.routing.values import State
    from pipeline.domain.routing_commands import RouteOrder

Chosen = tuple[tuple[RoutePart, ...], tuple[RouteScore, ...]]


class Money(NamedTuple):
    """What the units of some lines are worth, and what was paid for all of them, in minor units."""

    units: Units
    values_minor: tuple[int, ...]
    paid_minor: int


def by_plan(state: State, command: RouteOrder, plan: RoutingPlan) -> Chosen:
    """Choose an order's parts; none where the warehouses cannot ship all of it together."""
    ship_to, units = command.ship_to, command.units
    wanted = Wanted(command.pool, units, ship_to.province, ship_to.city, command.priority, command.at)
    found = compared(state, wanted, plan)
    counts = [unit.units for unit in units]
    parcels = parcels_of(state, wanted, plan, choose(found, counts, plan.water_line))
    parts = [
        part_of(fulfilment_id(command.order_id, number), candidate, parcel, command.priority)
        for number, (candidate, parcel) in enumerate(parcels, 1)
    ]
    money = Money(units, command.values_minor, command.paid_minor)
    return with_money(parts, money), tuple([score_of(candidate, counts) for candidate in found])


def parcels_of(
    state: State, wanted: Wanted, plan: RoutingPlan, shares: Sequence[Share]
) -> list[tuple[Candidate, Units]]:
    """Pack what each warehouse ships, by the plan's rules."""
    return [
        (share.candidate, parcel)
        for share in shares
        for parcel in packed(_taken(wanted.units, share), state.products, wanted.pool, plan)
    ]


def part_of(name: str, candidate: Candidate, units: Units, priority: int) -> RoutePart:
    """Give a part that a candidate ships, without its money."""
    return RoutePart(
        fulfilment_id=name,
        warehouse=candidate.name,
        units=units,
        deliver_by=candidate.deliver_by,
        priority=priority,
        same_city=candidate.same_city,
    )


def _taken(units: Sequence[SkuUnits], share: Share) -> list[SkuUnits]:
    return [SkuUnits(unit.sku, took) for unit, took in zip(units, share.takes, strict=True) if took]


def score_of(candidate: Candidate, counts: Sequence[int]) -> RouteScore:
    """Tell how a candidate compared; `counts` are the units that were wanted of each line."""
    return RouteScore(
        warehouse=candidate.name,
        distance_km=candidate.distance_km,
        units_free=sum(map(min, candidate.free, counts)),
        score=candidate.score,
        points=candidate.points,
        cost_minor=candidate.cost_minor,
        deliver_by=candidate.deliver_by,
        standing=candidate.standing,
    )


def with_money(parts: Sequence[RoutePart], money: Money) -> tuple[RoutePart, ...]:
    """Say what each part is worth, and its share of what was paid: together they are all of it, to the cent."""
    units, values, paid = money
    has_values = len(values) == len(units)
    if not parts or (not paid and not has_values):
        return tuple(parts)
    if len(parts) == 1:
        return (msgspec.structs.replace(parts[0], values_minor=values if has_values else (), paid_minor=paid),)
    parcels = [part.units for part in parts]
    worth = values_of(parcels, units, values) if has_values else [()] * len(parts)
    sums = [sum(each) for each in worth]
    weights = sums if any(sums) else [sum(unit.units for unit in parcel) for parcel in parcels]
    return tuple(
        [
            msgspec.structs.replace(part, values_minor=each, paid_minor=share)
            for part, each, share in zip(parts, worth, share_out(paid, weights), strict=True)
        ]
    )
