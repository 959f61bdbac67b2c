"""How a warehouse's share of an order is packed into parcels, and how the order's money is shared over them.

Each parcel is a part of the order, with a waybill of its own. Money adds up to the cent: shares are rounded down, and
what is left goes, a minor unit each, to those who lost most by that (the largest remainder).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.domain.orders import SkuUnits
from pipeline.domain.routing.plan import UNKNOWN_PRODUCT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.domain.routing.plan import Product, RoutingPlan

PARCELS_PER_SHARE_MAX = 32
"""What does not fit into so many parcels goes into the last one."""

Units = tuple[SkuUnits, ...]


def packed(share: Sequence[SkuUnits], products: Mapping[str, Product], pool: str, plan: RoutingPlan) -> list[Units]:
    """Give the parcels of a share: one, unless categories ship apart, or the weight is more than one may have."""
    if not plan.apart and not plan.parcel_grams_max:
        return [tuple(share)]
    groups: dict[str, list[tuple[SkuUnits, int]]] = {name: [] for name in ("", *plan.apart)}
    for unit in share:
        product = products.get(f"{pool}|{unit.sku}", UNKNOWN_PRODUCT)
        group = product.category if product.category in plan.apart else ""
        groups[group].append((unit, product.grams))
    parcels = [parcel for group in groups.values() if group for parcel in _by_weight(group, plan.parcel_grams_max)]
    kept, rest = parcels[: PARCELS_PER_SHARE_MAX - 1], parcels[PARCELS_PER_SHARE_MAX - 1 :]
    return [*kept, _together(rest)] if rest else kept


def _by_weight(group: Sequence[tuple[SkuUnits, int]], grams_max: int) -> list[Units]:
    """Fill one parcel after the other, in the order of the lines."""
    if not grams_max:
        return [tuple(unit for unit, _ in group)]
    parcels: list[list[SkuUnits]] = [[]]
    load = 0
    for (sku, count), grams in (((unit.sku, unit.units), grams) for unit, grams in group):
        left = count
        while left:
            fits = left if not grams else min(left, max(0, grams_max - load) // grams)
            if not fits and parcels[-1]:
                parcels.append([])
                load = 0
                continue
            fits = fits or 1
            parcels[-1].append(SkuUnits(sku, fits))
            load += fits * grams
            left -= fits
    return [tuple(parcel) for parcel in parcels]


def _together(parcels: Sequence[Units]) -> Units:
    sums: dict[str, int] = {}
    for parcel in parcels:
        for unit in parcel:
            sums[unit.sku] = sums.get(unit.sku, 0) + unit.units
    return tuple(SkuUnits(sku, units) for sku, units in sums.items())


def share_out(total: int, weights: Sequence[int]) -> list[int]:
    """Share a whole number out by weights; equally where all are 0. The shares add up to it."""
    if not any(weights):
        weights = [1] * len(weights)
    whole = sum(weights)
    shares = [total * weight // whole for weight in weights]
    lost = sorted(range(len(weights)), key=lambda place: (-(total * weights[place] % whole), place))
    for place in lost[: total - sum(shares)]:
        shares[place] += 1
    return shares


def values_of(parcels: Sequence[Units], units: Units, values_minor: Sequence[int]) -> list[tuple[int, ...]]:
    """Share each line's value out over the parcels that its units are in; gives what each parcel's units are worth."""
    shares = {
        unit.sku: share_out(value, [sum(own.units for own in parcel if own.sku == unit.sku) for parcel in parcels])
        for unit, value in zip(units, values_minor, strict=True)
    }
    return [tuple([shares[own.sku][place] for own in parcel]) for place, parcel in enumerate(parcels)]
