"""The commands to routing, keyed by stock pool; all from reservation, so that both fold the same stock in one order."""

from __future__ import annotations

from pipeline.domain.commands import Command
from pipeline.domain.orders import ShipTo, SkuUnits


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
    """A fulfilment order's units left the shelves (`shipped`) or stay on them."""

    pool: str
    order_id: str
    fulfilment_id: str
    shipped: bool


class StockShelf(Command, frozen=True, kw_only=True):
    """Units arrived at a warehouse (or, below 0, left it by a correction)."""

    pool: str
    warehouse: str
    units: tuple[SkuUnits, ...]


class OpenWarehouse(Command, frozen=True, kw_only=True):
    """A warehouse takes part in routing from here on."""

    pool: str
    warehouse: str
    latitude: float
    longitude: float


RoutingCommand = RouteOrder | CancelRoute | SettleAllocation | StockShelf | OpenWarehouse


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
