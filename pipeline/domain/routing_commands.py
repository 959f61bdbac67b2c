"""The commands to routing, keyed by stock pool.

All that is about stock comes from reservation, so that both fold the same stock in one order. A warehouse's scanners
write here too: what they change is a part of a route, and only routing knows whether it may still leave.
"""

from __future__ import annotations

from pipeline.domain.commands import Command, Tick
from pipeline.domain.orders import Name, Quantity, ShipTo, SkuUnits
from pipeline.domain.routing.plan import RoutingPlan, SkuFacts


class RouteOrder(Command, frozen=True, kw_only=True):
    """Choose warehouses for an order whose units are held."""

    pool: str
    order_id: str
    units: tuple[SkuUnits, ...]
    ship_to: ShipTo
    priority: int = 0
    values_minor: tuple[int, ...] = ()
    """The goods' value of each of `units`, in their order, in minor units; none: nobody said."""
    paid_minor: int = 0
    """What was paid for all of it: the parts share it, to the cent."""


class CancelRoute(Command, frozen=True, kw_only=True):
    """Undo a routed order: ask for each of its fulfilment orders to be cancelled."""

    pool: str
    order_id: str
    reason: str


class SettleAllocation(Command, frozen=True, kw_only=True):
    """A fulfilment order's units left the shelves (`shipped`) or stay on them.

    `warehouse` and `units` say what shipped, should routing have settled it otherwise already.
    """

    pool: str
    order_id: str
    fulfilment_id: str
    shipped: bool
    warehouse: str = ""
    units: tuple[SkuUnits, ...] = ()


class StockShelf(Command, frozen=True, kw_only=True):
    """Units arrived at a warehouse (or, below 0, left it by a correction)."""

    pool: str
    warehouse: str
    units: tuple[SkuUnits, ...]


class CountShelf(Command, frozen=True, kw_only=True):
    """So many units of a SKU were counted on a warehouse's shelf."""

    pool: str
    feed_id: str
    warehouse: str
    sku: str
    counted_units: int


class SettleCount(Command, frozen=True, kw_only=True):
    """What a count found wrong was corrected (`applied`), or was not, since held units would go."""

    pool: str
    feed_id: str
    applied: bool


class OpenWarehouse(Command, frozen=True, kw_only=True):
    """A warehouse takes part in routing from here on."""

    pool: str
    warehouse: str
    latitude: float
    longitude: float


class CloseWarehouse(Command, frozen=True, kw_only=True):
    """A warehouse ships nothing from here on, until it is opened again."""

    pool: str
    warehouse: str
    reason: str


class AdoptPlan(Command, frozen=True, kw_only=True):
    """Compare the pool's warehouses by this plan from here on."""

    pool: str
    plan: RoutingPlan


class NoteProducts(Command, frozen=True, kw_only=True):
    """SKUs' categories and weights."""

    pool: str
    skus: tuple[SkuFacts, ...]


class RedirectRoute(Command, frozen=True, kw_only=True):
    """A routed order goes to another address: parts that have not left get a new waybill."""

    pool: str
    order_id: str
    ship_to: ShipTo


class ExpediteRoute(Command, frozen=True, kw_only=True):
    """A routed order goes before those of a lower priority."""

    pool: str
    order_id: str
    priority: int


RoutingRequest = (
    RouteOrder
    | CancelRoute
    | SettleAllocation
    | StockShelf
    | CountShelf
    | SettleCount
    | OpenWarehouse
    | CloseWarehouse
    | AdoptPlan
    | NoteProducts
    | RedirectRoute
    | ExpediteRoute
)
"""What reservation asks of routing."""


class ReportStop(Command, frozen=True, kw_only=True):
    """A part that was to be stopped will not ship for certain (`stopped`), or has left; from waybill."""

    pool: str
    order_id: str
    fulfilment_id: str
    stopped: bool


class ScanItem(Command, frozen=True, kw_only=True):
    """So many units of a SKU are in a parcel by now; from a scanner, which says the sum each time."""

    pool: Name
    order_id: str
    fulfilment_id: str
    sku: str
    units: Quantity


class ScanOutbound(Command, frozen=True, kw_only=True):
    """A parcel goes through the warehouse's door; from a scanner."""

    pool: Name
    order_id: str
    fulfilment_id: str
    scan_id: str


RoutingCommand = RoutingRequest | ReportStop | ScanItem | ScanOutbound | Tick
