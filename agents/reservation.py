"""Reservation: all units of an order are held, or none; and the stock that they are held from."""

from __future__ import annotations

from pipeline import topics
from pipeline.domain import reservation
from pipeline.domain.commands import RequestReview, StockCommand
from pipeline.domain.routing_commands import CancelRoute, OpenWarehouse, RouteOrder, SettleAllocation, StockShelf
from pipeline.engine.stage import DecidingStage, decoder
from tables.feeds import FEEDS
from tables.holds import HOLDS
from tables.networks import NETWORKS
from tables.stock import STOCK

RESERVATION = DecidingStage(
    name="reservation",
    reads=topics.STOCK_COMMANDS,
    decode=decoder(StockCommand),
    state=reservation.State,
    tables=(STOCK, HOLDS, FEEDS, NETWORKS),
    decide=reservation.decide,
    evolve=reservation.evolve,
    writes={
        RouteOrder: topics.ROUTING_COMMANDS,
        CancelRoute: topics.ROUTING_COMMANDS,
        SettleAllocation: topics.ROUTING_COMMANDS,
        StockShelf: topics.ROUTING_COMMANDS,
        OpenWarehouse: topics.ROUTING_COMMANDS,
        RequestReview: topics.ORDERS_REVIEW,
    },
)
