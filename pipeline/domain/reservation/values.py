"""The values in reservation's tables: small, immutable, none grows with traffic. New fields come at the end."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from pipeline.domain.orders import ShipTo, SkuUnits, SubPool

DAY_MS = 24 * 60 * 60 * 1000
SOLD_DAYS = 7
"""How many whole days the daily average is taken over."""


class Balance(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A SKU's units in a sub-pool: 0 <= held <= on_hand. In presale, `on_hand` is what may be promised."""

    on_hand: int
    held: int


EMPTY = Balance(0, 0)


class HoldState(StrEnum):
    """What became of the request to hold an order's units."""

    HELD = "locked"
    """All units are held, and routing has the order."""
    REFUSED = "refused"
    CANCELLING = "cancelling"
    TENTATIVE = "tentative"
    """Held until it is confirmed, or its time is over."""
    WAITING = "waiting"
    """It goes on when the units have come that it waits for."""
    FROZEN = "frozen"
    """Held, and not let go on until more stock has come, or a person approves: it is below its safety level."""
    EXPIRED = "expired"
    RELEASED = "released"
    REFUND_DUE = "refund_due"


HOLD_STATES = {state.value: state for state in HoldState}
HELD, CANCELLING, TENTATIVE, FROZEN = HoldState.HELD, HoldState.CANCELLING, HoldState.TENTATIVE, HoldState.FROZEN
"""As HOLD_STATES, for speed: what an enum looks up takes ten times as long as a name."""
UNROUTED = frozenset({HoldState.TENTATIVE, HoldState.WAITING, HoldState.FROZEN})
"""The states of a hold that routing does not know of yet."""


class Hold(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order's hold: the units held and outstanding, and the parts that are settled, by their way."""

    state: HoldState
    units: tuple[SkuUnits, ...] = ()
    consumed: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    paid_at: int = 0
    """When it was paid, while it has not shipped (ms UTC)."""
    alarm_at: int = 0
    """When it is overdue next (ms UTC); 0: not any more, or not yet."""

    def is_settled(self) -> bool:
        """Say whether nothing is held any more, or waited for."""
        return not self.units and self.state not in UNROUTED


class Network(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A pool's warehouses."""

    warehouses: tuple[str, ...]


class Pending(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an order asked for that is not routed yet, and what it will be routed with."""

    pool: str
    units: tuple[SkuUnits, ...]
    """All that it wants, bundles expanded."""
    ship_to: ShipTo
    sub_pool: SubPool
    may_split: bool
    priority: int
    since: int
    expires_at: int | None = None
    """When it expires; None once it is confirmed or has expired."""
    waiting: int = 0
    """How many of its units are not there yet."""
    trims: tuple[str, ...] = ()
    """The partial cancellations that counted."""
    stock_gate: str = ""
    """The rule that freezes it where it takes stock below a safety level."""
    values_minor: tuple[int, ...] = ()
    """The goods' value of each of `units`, in minor units; none: nobody said, or they changed."""
    paid_minor: int = 0


class Wait(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The units of one SKU that an order waits for. Served by priority, then by time."""

    pool: str
    units: int
    priority: int
    since: int
    is_presale: bool

    @property
    def rank(self) -> tuple[int, int]:
        """Give its rank among those that wait for the SKU: the smallest is served first."""
        return -self.priority, self.since


class Flash(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A flash sale that is not closed. Times in milliseconds UTC."""

    flash_id: str
    opens_at: int
    closes_at: int
    per_buyer_max: int = 0
    """How many units one buyer is given in all; 0: as many as there are."""


class Inbound(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A delivery that was announced: what of it has not come."""

    warehouse: str
    units: tuple[SkuUnits, ...]

    def is_settled(self) -> bool:
        """Say whether all of it came, or the rest will not."""
        return not self.units


class Bundle(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a SKU is made of."""

    parts: tuple[SkuUnits, ...]


class Safety(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A SKU whose level is watched: by which rule, and what was sold.

    `sold` counts by day (UTC), of the newest day first, that day and the SOLD_DAYS before it.
    """

    lead_days: int
    floor_units: int
    day: int = 0
    sold: tuple[int, ...] = (0,) * (SOLD_DAYS + 1)
    is_due: bool = False
    """Whether its replenishment was asked for."""
    hot_day: int = -1
    """The day on which it was last said to sell fast."""
