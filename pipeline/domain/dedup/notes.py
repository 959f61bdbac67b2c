"""The notes of dedup: what it must remember of orders, and no event may carry."""

from __future__ import annotations

from pipeline.domain.dedup.values import Ask, Waiting
from pipeline.domain.notes import Note


class OrderNoted(Note, frozen=True, kw_only=True):
    """What an order showed: who receives it, for the search for duplicates, and by what a change is noticed later."""

    pool: str
    order_id: str
    created_at: int
    receiver_key: str
    skus: str
    """The SKUs to ship, one a line."""
    rank: int
    vip_level: int
    address: int
    goods: int


class OrderKept(Note, frozen=True, kw_only=True):
    """What an order that waits asks for when it goes on; None: it went on."""

    order_id: str
    waiting: Waiting | None


class StateShown(Note, frozen=True, kw_only=True):
    """The newest state that a platform showed of an order: its time, and its rank among those of one time."""

    order_id: str
    updated_at: int
    rank: int


class AddressNoted(Note, frozen=True, kw_only=True):
    """Where an order goes that went on; by the check sum, a later change is told."""

    order_id: str
    address: int


class AskParked(Note, frozen=True, kw_only=True):
    """What was asked of an order that is not there yet."""

    order_id: str
    ask: Ask


class ClockNoted(Note, frozen=True, kw_only=True):
    """It is `at` by now, as the clock says."""

    at: int


class DeadlineNoted(Note, frozen=True, kw_only=True):
    """When something is due: `key` as in the table of deadlines."""

    key: str
    due_at: int
