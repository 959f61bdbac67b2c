"""The events: what happened to an order, in the past tense. All go to order.events; state is nothing but their fold.

On the wire an event is one flat JSON object. The engine puts `id`, `stage` and `cause` in front:

    {"id": "stock.commands-2-1042-0", "stage": "reservation", "cause": "stock.commands-2-1042", "event": "HoldPlaced",
     "order_id": "…", "at": 1490000000000, "from": "paid", "to": "locked", "rule_version": null, …facts of this event}

`cause` is the record that the stage answered (topic-partition-offset), `id` that and the event's place in the answer,
so the same record always gives the same ids. `at` is event time in milliseconds UTC. No event carries personal data.
The events from routing on are in `shipping_events`.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.orders import SkuUnits, SubPool


class Event(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="event",
    tag=True,
    gc=False,
    rename={"from_state": "from", "to_state": "to"},
):
    """A fact about an order (or, with an empty order id, about stock)."""

    order_id: str = ""
    at: int
    from_state: str = ""
    to_state: str = ""
    rule_version: str | None = None


# --- ingest ---


class OrderReceived(Event, frozen=True, kw_only=True):
    """A payload was understood. It may show an order for the first time or once more."""

    to_state: str = "received"
    channel: str
    shop_id: str
    platform_order_id: str
    pool: str
    kind: str
    """submit, pay, cancel, address, expedite, trim or refund."""


# --- dedup ---


class OrderCreated(Event, frozen=True, kw_only=True):
    """An order was seen for the first time."""

    from_state: str = "received"
    to_state: str = "await_pay"
    channel: str
    shop_id: str
    platform_order_id: str
    pool: str
    lines: int
    units: int
    paid_minor: int
    currency: str


class OrderPaid(Event, frozen=True, kw_only=True):
    """An order is paid and may go on; or, if `to` is in_review, waits for a person all the same."""

    from_state: str = "await_pay"
    to_state: str = "paid"
    paid_minor: int


class OrderRepeated(Event, frozen=True, kw_only=True):
    """Something known was said again (a resubmission, a payment, a cancellation); `to` is where the order stands."""

    kind: str


class OrderParked(Event, frozen=True, kw_only=True):
    """A payment (`paid_minor`), a cancellation (`reason`) or what else was asked of an order came before the order."""

    to_state: str = "parked"
    kind: str
    paid_minor: int = 0
    reason: str = ""


class OrderHeldForReview(Event, frozen=True, kw_only=True):
    """A person must decide: one event for each reason. `rules` are all that matched with it, `rule_id` the first."""

    to_state: str = "in_review"
    reason: str
    evidence: str
    pool: str = ""
    rule_id: str = ""
    rules: tuple[str, ...] = ()
    priority: int = 0
    overdue_at: int | None = None
    twin: str = ""
    """Of a suspected duplicate, the other order."""
    paid_minor: int = 0
    vip_level: int = 0


class OrderCancelled(Event, frozen=True, kw_only=True):
    """An order was cancelled before it held stock, or all its parts were."""

    to_state: str = "cancelled"
    reason: str


class CancelRequested(Event, frozen=True, kw_only=True):
    """A cancellation goes after an order that is already on its way, or after one fulfilment order of it."""

    fulfilment_id: str = ""
    reason: str


class RefundDue(Event, frozen=True, kw_only=True):
    """Money came for an order that is cancelled: it is to go back by `due_at`."""

    from_state: str = "cancelled"
    to_state: str = "refund_due"
    paid_minor: int
    due_at: int | None = None


# --- reservation ---


class HoldPlaced(Event, frozen=True, kw_only=True):
    """All units of the order are held, or waited for: see `stock_events`. `expires_at`: unless it is confirmed by then.

    `expanded` says that bundles were taken apart.
    """

    from_state: str = "paid"
    to_state: str = "locked"
    pool: str
    units: tuple[SkuUnits, ...]
    sub_pool: SubPool = SubPool.STOCK
    waiting: tuple[SkuUnits, ...] = ()
    expires_at: int | None = None
    expanded: bool = False
    paid_at: int | None = None
    """When it was paid, where that was before `at`."""


class HoldRefused(Event, frozen=True, kw_only=True):
    """Nothing is held: `short` names what was missing (the first few)."""

    from_state: str = "paid"
    to_state: str = "refused"
    pool: str
    reason: str
    short: tuple[SkuUnits, ...]


class HoldRepeated(Event, frozen=True, kw_only=True):
    """A hold was asked for, consumed or released again: `answer` is the first one, and nothing changed."""

    answer: str


class HoldConsumed(Event, frozen=True, kw_only=True):
    """The units of a fulfilment order left the network."""

    from_state: str = "locked"
    to_state: str = "consumed"
    pool: str
    fulfilment_id: str
    units: tuple[SkuUnits, ...]


class HoldReleased(Event, frozen=True, kw_only=True):
    """The units of a fulfilment order are free again."""

    from_state: str = "locked"
    to_state: str = "released"
    pool: str
    fulfilment_id: str
    units: tuple[SkuUnits, ...]
    reason: str
    waiting: tuple[SkuUnits, ...] = ()
    """What was waited for, and is not any more."""


class WarehouseRegistered(Event, frozen=True, kw_only=True):
    """A warehouse joined the network."""

    pool: str
    feed_id: str
    warehouse: str
    latitude: float
    longitude: float


class StockReceived(Event, frozen=True, kw_only=True):
    """Goods arrived at a warehouse."""

    pool: str
    feed_id: str
    warehouse: str
    units: tuple[SkuUnits, ...]
    inbound_id: str = ""


class StockAdjusted(Event, frozen=True, kw_only=True):
    """A warehouse corrected what it has."""

    pool: str
    feed_id: str
    warehouse: str
    sku: str
    change_units: int
    reason: str


class StockFeedRepeated(Event, frozen=True, kw_only=True):
    """A feed id came again and counted once."""

    pool: str
    feed_id: str


class StockFeedRefused(Event, frozen=True, kw_only=True):
    """A feed makes no sense, or would take units that are held: a person must decide what gives way."""

    pool: str
    feed_id: str
    warehouse: str
    sku: str
    change_units: int
    reason: str


class NetworkFeedPassed(Event, frozen=True, kw_only=True):
    """A feed about the network, not about units, went on to routing; `feed` is its kind."""

    pool: str
    feed_id: str
    feed: str
