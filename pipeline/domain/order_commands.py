"""The commands to dedup about a known order, and those that dedup sends after an order whose units are held.

All are keyed by stock pool, as the orders themselves are. `at` is the time of what happened; a Tick's is the clock's.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pipeline.domain.commands import CancelOrder, Command, PayOrder, SubmitOrder, Tick
from pipeline.domain.order_policy import SetOrderPolicy
from pipeline.domain.orders import Minor, ShipTo, SkuUnits, Text
from pipeline.domain.rules.active import SetRules

NOTE_CHARACTERS_MAX = 500
PRIORITY_MAX = 1000

Reviewer = Annotated[str, Meta(min_length=1, max_length=128)]
Note = Annotated[str, Meta(max_length=NOTE_CHARACTERS_MAX)]
Priority = Annotated[int, Meta(ge=0, le=PRIORITY_MAX)]
CaseId = Annotated[str, Meta(min_length=1, max_length=128)]

# --- from ingest: what a buyer or a platform wants of a known order ---


class ChangeAddress(Command, frozen=True, kw_only=True):
    """An order is to go somewhere else. `author` says who wants it, in the platform's words."""

    pool: str
    order_id: str
    ship_to: ShipTo
    receiver_key: str = ""
    author: Text = ""


class ExpediteOrder(Command, frozen=True, kw_only=True):
    """An order is to go before others: the higher the priority, the sooner."""

    pool: str
    order_id: str
    priority: Priority


class TrimOrder(Command, frozen=True, kw_only=True):
    """A part of an order is not wanted any more; `trim_id` counts once."""

    pool: str
    order_id: str
    trim_id: CaseId
    units: tuple[SkuUnits, ...]
    reason: Text = ""
    author: Text = ""


class RequestRefund(Command, frozen=True, kw_only=True):
    """A buyer wants money back; `refund_id` is the after-sale number, and counts once."""

    pool: str
    order_id: str
    refund_id: CaseId
    amount_minor: Minor
    reason: Text = ""


# --- from reviewers ---


class ClaimReview(Command, frozen=True, kw_only=True):
    """A reviewer takes an order for a while, so that nobody else does; without `reason` for all of its reasons."""

    pool: str
    order_id: str
    reviewer: Reviewer
    reason: str = ""


class DecideReview(Command, frozen=True, kw_only=True):
    """A reviewer who has claimed an order lets it go on, or rejects it. `note` is kept, so nothing personal in it."""

    pool: str
    order_id: str
    reviewer: Reviewer
    approve: bool
    reason: str = ""
    note: Note = ""


class ReviewAgain(Command, frozen=True, kw_only=True):
    """The rules have changed: look at an order again that they hold, and let go what they hold no more."""

    pool: str
    order_id: str
    reviewer: Reviewer


class DecideRefund(Command, frozen=True, kw_only=True):
    """A named approver agrees to a refund, or rejects it."""

    pool: str
    order_id: str
    refund_id: CaseId
    approver: Reviewer
    approve: bool
    note: Note = ""


class ConfirmRefund(Command, frozen=True, kw_only=True):
    """The money is back with the buyer; without `refund_id` that of an order that was cancelled."""

    pool: str
    order_id: str
    refund_id: str = ""
    author: Annotated[str, Meta(max_length=128)] = ""
    note: Note = ""


# --- from reservation ---


class ConfirmCancel(Command, frozen=True, kw_only=True):
    """An order that was cancelled while it held stock holds none any more, and nothing of it shipped."""

    pool: str
    order_id: str


OrderCommand = (
    SubmitOrder
    | PayOrder
    | CancelOrder
    | ChangeAddress
    | ExpediteOrder
    | TrimOrder
    | RequestRefund
    | ClaimReview
    | DecideReview
    | ReviewAgain
    | DecideRefund
    | ConfirmRefund
    | ConfirmCancel
    | SetOrderPolicy
    | SetRules
    | Tick
)
OrderNews = SubmitOrder | PayOrder | CancelOrder | ChangeAddress | ExpediteOrder | TrimOrder | RequestRefund
"""What ingest understands of a platform's payloads."""

# --- to reservation: what becomes of an order that holds stock ---


class TrimHold(Command, frozen=True, kw_only=True):
    """Release a part of what an order holds, as long as it is not routed; from dedup. A `trim_id` counts once."""

    pool: str
    order_id: str
    units: tuple[SkuUnits, ...]
    reason: str
    trim_id: str = ""


class ExpediteHold(Command, frozen=True, kw_only=True):
    """Serve an order before others, here and in routing; from dedup."""

    pool: str
    order_id: str
    priority: Priority


class ReplaceAddress(Command, frozen=True, kw_only=True):
    """Send an order that holds stock somewhere else; from dedup, handed on to routing."""

    pool: str
    order_id: str
    ship_to: ShipTo
