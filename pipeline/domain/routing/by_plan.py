"""An order's parts by the plan in force, with what each is worth and when it should arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.domain.orders import SkuUnits, fulfilment_id
from pipeline.domain.routing.choice import choose
from pipeline.domain.routing.parcels import packed, share_out, values_of
from pipeline.domain.routing.scores import Candidate, Wanted, compared
from pipeline.domain.shipping_events import RoutePart, RouteScore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.domain.routing.choice import Share
    from pipeline.domain.routing.plan import RoutingPlan
    from pipeline.domain.routing.values import State
    from pipeline.domain.routing_commands import RouteOrder

Chosen = tuple[tuple[RoutePart, ...], tuple[RouteScore, ...]]


def by_plan(state: State, command: RouteOrder, plan: RoutingPlan) -> Chosen:
    """Choose an order's parts; none where the warehouses cannot ship all of it together."""
    ship_to, units = command.ship_to, command.units
    wanted = Wanted(command.pool, units, ship_to.province, ship_to.city, command.priority, command.at)
    found = compared(state, wanted, plan)
    counts = [unit.units for unit in units]
    parts: list[RoutePart] = []
    for share in choose(found, counts, plan.water_line):
        for parcel in packed(_taken(units, share), state.products, command.pool, plan):
            parts.append(
                RoutePart(
                    fulfilment_id=fulfilment_id(command.order_id, len(parts) + 1),
                    warehouse=share.candidate.name,
                    units=parcel,
                    deliver_by=share.candidate.deliver_by,
                    priority=command.priority,
                    same_city=share.candidate.same_city,
                )
            )
    return with_money(tuple(parts), command), tuple([score_of(candidate, counts) for candidate in found])


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


def with_money(parts: tuple[RoutePart, ...], command: RouteOrder) -> tuple[RoutePart, ...]:
    """Say what each part is worth, and its share of what was paid: together they are the order's, to the cent."""
    paid, values = command.paid_minor, command.values_minor
    if not parts or (not paid and not values):
        return parts
    has_values = len(values) == len(command.units)
    if len(parts) == 1:
        return (msgspec.structs.replace(parts[0], value_minor=sum(values) if has_values else 0, paid_minor=paid),)
    parcels = [part.units for part in parts]
    worth = values_of(parcels, command.units, values) if has_values else [0] * len(parts)
    weights = worth if any(worth) else [sum(unit.units for unit in parcel) for parcel in parcels]
    return tuple(
        msgspec.structs.replace(part, value_minor=value, paid_minor=share)
        for part, value, share in zip(parts, worth, share_out(paid, weights), strict=True)
    )
