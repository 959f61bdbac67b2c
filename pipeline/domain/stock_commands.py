"""The commands to reservation beyond the first ones of `commands`: how a network's stock is divided, and watched.

All are keyed by stock pool. A feed's id counts once, whatever kind of feed it is.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pipeline.domain.commands import AdjustStock, Command, ReceiveStock, RegisterWarehouse
from pipeline.domain.order_commands import Note, Reviewer
from pipeline.domain.orders import UNITS_MAX, Name, Sku, SkuUnits, SubPool, TimeMs, UnitsChange

INBOUND_LINES_MAX = 500
BUNDLE_PARTS_MAX = 64
LEAD_DAYS_MAX = 365

Units = Annotated[int, Meta(ge=1, le=UNITS_MAX)]
CountedUnits = Annotated[int, Meta(ge=0, le=UNITS_MAX)]


class DecideHold(Command, frozen=True, kw_only=True):
    """A reviewer lets an order go on that was frozen to protect the stock, or rejects it; `note` is kept."""

    pool: Name
    order_id: str
    reviewer: Reviewer
    approve: bool
    note: Note = ""


class CountStock(Command, frozen=True, kw_only=True):
    """So many units of a SKU were counted on a warehouse's shelf; from the feed.

    Units that belong to routed orders may have been on the shelf, or gone to be packed: either is right.
    """

    pool: Name
    feed_id: str
    warehouse: Name
    sku: Sku
    counted_units: CountedUnits


class CorrectStock(Command, frozen=True, kw_only=True):
    """A count found fewer or more than the books have; from routing. `count_id` is the count's own feed id."""

    pool: str
    feed_id: str
    count_id: str
    warehouse: str
    sku: str
    change_units: UnitsChange


class AnnounceInbound(Command, frozen=True, kw_only=True):
    """Goods are confirmed to come to a warehouse: they are in transit, and may be sold as presale; from the feed."""

    pool: Name
    feed_id: str
    inbound_id: Name
    warehouse: Name
    units: Annotated[tuple[SkuUnits, ...], Meta(max_length=INBOUND_LINES_MAX)]


class CloseInbound(Command, frozen=True, kw_only=True):
    """What has not come of an inbound delivery will not come; from the feed."""

    pool: Name
    feed_id: str
    inbound_id: Name


class TransferStock(Command, frozen=True, kw_only=True):
    """Move free units of a SKU from one sub-pool to another; from the feed. Nothing moves between warehouses."""

    pool: Name
    feed_id: str
    sku: Sku
    units: Units
    from_pool: SubPool
    to_pool: SubPool


class OpenFlash(Command, frozen=True, kw_only=True):
    """Set units aside for a flash sale; what is left at `closes_at` goes back by itself. Times in milliseconds UTC."""

    pool: Name
    flash_id: str
    sku: Sku
    units: Units
    opens_at: TimeMs
    closes_at: TimeMs
    per_buyer_max: Annotated[int, Meta(ge=0, le=UNITS_MAX)] = 0
    """How many units one buyer is given in all, also where some were given back; 0: as many as there are."""


class DefineBundle(Command, frozen=True, kw_only=True):
    """A SKU is sold that is made of others; without parts it is a SKU of its own again. Later orders go by it."""

    pool: Name
    feed_id: str
    sku: Sku
    parts: Annotated[tuple[SkuUnits, ...], Meta(max_length=BUNDLE_PARTS_MAX)]


class SetSafety(Command, frozen=True, kw_only=True):
    """Watch a SKU's level: freeze what would go below 7-day average daily sales x (lead days + 3), or the floor."""

    pool: Name
    feed_id: str
    sku: Sku
    lead_days: Annotated[int, Meta(ge=0, le=LEAD_DAYS_MAX)]
    floor_units: Annotated[int, Meta(ge=0, le=UNITS_MAX)] = 0


StockFeed = (
    RegisterWarehouse
    | ReceiveStock
    | AdjustStock
    | CountStock
    | CorrectStock
    | AnnounceInbound
    | CloseInbound
    | TransferStock
    | OpenFlash
    | DefineBundle
    | SetSafety
)
