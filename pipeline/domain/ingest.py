"""Ingest: what a platform said becomes a command to dedup. There is nothing to remember and nothing to refuse here."""

from __future__ import annotations

from typing import assert_never

import msgspec

from pipeline.domain.commands import CancelOrder, PayOrder, SubmitOrder
from pipeline.domain.events import OrderReceived
from pipeline.domain.order_commands import ChangeAddress, ExpediteOrder, OrderNews, RequestRefund, TrimOrder


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A payload that was understood: the command that it means, and whose order it is about in the platform's words."""

    command: OrderNews
    channel: str
    shop_id: str
    platform_order_id: str

    @property
    def at(self) -> int:
        """The event time of its command, in milliseconds UTC."""
        return self.command.at


class State:
    """Ingest has no tables."""

    __slots__ = ()


def decide(_state: State, arrival: Arrival) -> tuple[OrderReceived, OrderNews]:
    """Say that a payload was understood, and hand its command on."""
    command = arrival.command
    match command:
        case SubmitOrder():
            kind, order_id = "submit", command.order.internal_order_id
        case PayOrder():
            kind, order_id = "pay", command.order_id
        case CancelOrder():
            kind, order_id = "cancel", command.order_id
        case ChangeAddress():
            kind, order_id = "address", command.order_id
        case ExpediteOrder():
            kind, order_id = "expedite", command.order_id
        case TrimOrder():
            kind, order_id = "trim", command.order_id
        case RequestRefund():
            kind, order_id = "refund", command.order_id
        case _:
            assert_never(command)
    received = OrderReceived(
        order_id=order_id,
        at=command.at,
        channel=arrival.channel,
        shop_id=arrival.shop_id,
        platform_order_id=arrival.platform_order_id,
        pool=command.pool,
        kind=kind,
    )
    return received, command


def evolve(_state: State, _event: OrderReceived) -> None:
    """Change nothing."""
