"""Routing's events about parts that are routed: sent from elsewhere, picked, scanned, out."""

from __future__ import annotations

from pipeline.domain.events import Event
from pipeline.domain.orders import SkuUnits
from pipeline.domain.shipping_events import RoutePart, RouteScore


class RerouteStarted(Event, frozen=True, kw_only=True):
    """A part is to be sent again as `new_parts`, whose units are allocated; first it is to be proven that it is there.

    `scores` compares the warehouses, where others were chosen.
    """

    from_state: str = "allocated"
    to_state: str = "rerouting"
    pool: str
    fulfilment_id: str
    new_parts: tuple[RoutePart, ...]
    scores: tuple[RouteScore, ...] = ()
    reason: str


class PartRerouted(Event, frozen=True, kw_only=True):
    """A part will not leave for certain: `new_parts` take its place, and the units in the old warehouse are free.

    `parts`: how many the order has by now.
    """

    from_state: str = "rerouting"
    to_state: str = "allocated"
    pool: str
    fulfilment_id: str
    new_parts: tuple[RoutePart, ...]
    parts: int
    reason: str


class RerouteAbandoned(Event, frozen=True, kw_only=True):
    """A part that was to be sent again has left, or its order was cancelled: the units in the new warehouses are free.

    `to`: where the old part is: left, or freed.
    """

    from_state: str = "rerouting"
    pool: str
    fulfilment_id: str
    reason: str


class AddressChangeRefused(Event, frozen=True, kw_only=True):
    """An order, or a part of it, cannot go elsewhere any more."""

    pool: str
    fulfilment_id: str = ""
    reason: str


class RouteExpedited(Event, frozen=True, kw_only=True):
    """An order's parts that are not being picked, or are to be sent again, go before those of a lower priority."""

    pool: str
    priority: int
    parts: tuple[str, ...]


class WaveStarted(Event, frozen=True, kw_only=True):
    """A warehouse picks its next wave: so many of the parts that waited; `left` are for the next one."""

    pool: str
    warehouse: str
    wave: str
    starts_at: int
    parts: int
    left: int


class PartReleased(Event, frozen=True, kw_only=True):
    """A part is to be picked in a wave, or, as `express`, at once; `pick_list` is the number of its list."""

    from_state: str = "allocated"
    to_state: str = "picking"
    pool: str
    fulfilment_id: str
    warehouse: str
    wave: str
    pick_list: int


class PickListMade(Event, frozen=True, kw_only=True):
    """What is to be fetched from the shelves for some parts of a wave, in the order of the SKUs."""

    pool: str
    warehouse: str
    wave: str
    pick_list: int
    parts: int
    units: tuple[SkuUnits, ...]


class ItemScanned(Event, frozen=True, kw_only=True):
    """So many units of a SKU are in a parcel by now."""

    pool: str
    fulfilment_id: str
    sku: str
    units: int
    is_complete: bool


class ScanMismatched(Event, frozen=True, kw_only=True):
    """What was scanned does not belong where it was scanned; nothing changed."""

    pool: str
    fulfilment_id: str
    sku: str = ""
    units: int = 0
    reason: str


class PartScannedOut(Event, frozen=True, kw_only=True):
    """A part left its warehouse, by the warehouse's own scan: its units are gone."""

    from_state: str = "picking"
    to_state: str = "outbound"
    pool: str
    fulfilment_id: str
    warehouse: str
    scan_id: str
