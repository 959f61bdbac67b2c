"""The events of reservation beyond the first ones of `events`: holds that wait or expire, sub-pools, safety levels.

Wherever both are, `units` are held and on hand, and `waiting` are not on hand yet: promised of what is in transit where
the sub-pool is presale, else queued for until stock arrives.
"""

from __future__ import annotations

from pipeline.domain.events import Event
from pipeline.domain.orders import SkuUnits, SubPool


class HoldConfirmed(Event, frozen=True, kw_only=True):
    """A hold was paid, or approved, or its stock came, and goes on: to locked, to waiting, or to frozen."""

    pool: str


class HoldRegained(Event, frozen=True, kw_only=True):
    """A payment came after the hold had expired, and its units could be held once more."""

    from_state: str = "expired"
    pool: str
    sub_pool: SubPool
    units: tuple[SkuUnits, ...]
    waiting: tuple[SkuUnits, ...] = ()


class HoldExpired(Event, frozen=True, kw_only=True):
    """A hold was not confirmed in time: its units are free again."""

    from_state: str = "tentative"
    to_state: str = "expired"
    pool: str
    sub_pool: SubPool
    units: tuple[SkuUnits, ...]
    waiting: tuple[SkuUnits, ...] = ()


class HoldFilled(Event, frozen=True, kw_only=True):
    """Units that an order waited for are held for it now; `to` is locked when they were the last."""

    pool: str
    sub_pool: SubPool
    units: tuple[SkuUnits, ...]


class HoldTrimmed(Event, frozen=True, kw_only=True):
    """A part of what an order wanted is not wanted any more; the rest of its hold stays."""

    pool: str
    trim_id: str
    sub_pool: SubPool
    units: tuple[SkuUnits, ...]
    waiting: tuple[SkuUnits, ...] = ()
    reason: str


class TrimRefused(Event, frozen=True, kw_only=True):
    """A part of an order could not be taken out of its hold; the hold is as it was."""

    pool: str
    trim_id: str
    reason: str


class HoldExpedited(Event, frozen=True, kw_only=True):
    """An order is served before others."""

    pool: str
    priority: int


class HoldReaddressed(Event, frozen=True, kw_only=True):
    """An order that holds stock, or waits for it, goes somewhere else."""

    pool: str


class HoldDecided(Event, frozen=True, kw_only=True):
    """A reviewer decided on an order that was frozen to protect the stock: `to` is released or rejected."""

    from_state: str = "frozen"
    pool: str
    reason: str
    reviewer: str
    note: str = ""


class HoldOverdue(Event, frozen=True, kw_only=True):
    """A paid order is past a time limit (red): routing, locked or outbound. It was due at `due_at`, and is again then.

    Nothing moved: `from` and `to` are where it stands.
    """

    limit: str
    due_at: int
    next_at: int | None = None


class StockTransferred(Event, frozen=True, kw_only=True):
    """Free units went from one sub-pool to another. Without a feed id they went back by themselves."""

    pool: str
    feed_id: str = ""
    sku: str
    units: int
    from_pool: SubPool
    to_pool: SubPool


class FlashOpened(Event, frozen=True, kw_only=True):
    """Units were set aside for a flash sale."""

    pool: str
    flash_id: str
    sku: str
    units: int
    opens_at: int
    closes_at: int
    per_buyer_max: int = 0


class FlashClosed(Event, frozen=True, kw_only=True):
    """A flash sale is over; the units that nobody holds went back to what is in stock."""

    pool: str
    flash_id: str
    sku: str
    units: int


class InboundAnnounced(Event, frozen=True, kw_only=True):
    """Goods are on their way to a warehouse."""

    pool: str
    feed_id: str
    inbound_id: str
    warehouse: str
    units: tuple[SkuUnits, ...]


class InboundClosed(Event, frozen=True, kw_only=True):
    """The rest of an inbound delivery will not come."""

    pool: str
    feed_id: str
    inbound_id: str
    units: tuple[SkuUnits, ...]


class BundleDefined(Event, frozen=True, kw_only=True):
    """A SKU is made of others from here on."""

    pool: str
    feed_id: str
    sku: str
    parts: tuple[SkuUnits, ...]


class SafetySet(Event, frozen=True, kw_only=True):
    """A SKU's level is watched."""

    pool: str
    feed_id: str
    sku: str
    lead_days: int
    floor_units: int


class ReplenishmentDue(Event, frozen=True, kw_only=True):
    """What is available of a SKU fell below its safety level; said once, until it is there again."""

    pool: str
    sku: str
    level_units: int
    available_units: int


class HotSeller(Event, frozen=True, kw_only=True):
    """A SKU sells fast and will not last: said once a day. `sold` are the 7 whole days before, the newest first."""

    pool: str
    sku: str
    sold: tuple[int, ...]
    available_units: int


DividingEvent = (
    StockTransferred
    | FlashOpened
    | FlashClosed
    | InboundAnnounced
    | InboundClosed
    | BundleDefined
    | SafetySet
    | ReplenishmentDue
    | HotSeller
)
"""What is not of an order, but of the stock."""
StockEvent = (
    HoldConfirmed
    | HoldDecided
    | HoldOverdue
    | HoldExpired
    | HoldFilled
    | HoldTrimmed
    | TrimRefused
    | HoldExpedited
    | HoldReaddressed
    | DividingEvent
)
