"""Reservation: all units of an order are held, or none; and the stock that they are held from."""

from __future__ import annotations

from pipeline import topics
from pipeline.domain.commands import RequestReview
from pipeline.domain.order_commands import ConfirmCancel
from pipeline.domain.reservation import deciding as reservation
from pipeline.domain.routing_commands import (
    AdoptPlan,
    CancelRoute,
    CloseWarehouse,
    CountShelf,
    ExpediteRoute,
    NoteProducts,
    OpenWarehouse,
    RedirectRoute,
    RouteOrder,
    SettleAllocation,
    SettleCount,
    StockShelf,
)
from pipeline.engine.stage import DecidingStage, decoder
from tables.bundles import BUNDLES
from tables.feeds import FEEDS
from tables.flash_buyers import FLASH_BUYERS
from tables.flashes import FLASHES
from tables.holds import HOLDS
from tables.holds_apart import HOLDS_APART
from tables.in_transit import IN_TRANSIT
from tables.inbounds import INBOUNDS
from tables.networks import NETWORKS
from tables.pending_holds import PENDING_HOLDS
from tables.safety_levels import SAFETY_LEVELS
from tables.stock import STOCK
from tables.stock_policies import STOCK_POLICIES
from tables.sub_stock import SUB_STOCK
from tables.waits import WAITS

RESERVATION = DecidingStage(
    name="reservation",
    reads=topics.STOCK_COMMANDS,
    decode=decoder(reservation.StockCommand),
    state=reservation.State,
    tables=(
        STOCK,
        HOLDS,
        FEEDS,
        NETWORKS,
        SUB_STOCK,
        IN_TRANSIT,
        INBOUNDS,
        FLASHES,
        BUNDLES,
        SAFETY_LEVELS,
        PENDING_HOLDS,
        WAITS,
        HOLDS_APART,
        FLASH_BUYERS,
        STOCK_POLICIES,
    ),
    decide=reservation.decide,
    evolve=reservation.evolve,
    writes={
        RouteOrder: topics.ROUTING_COMMANDS,
        CancelRoute: topics.ROUTING_COMMANDS,
        ExpediteRoute: topics.ROUTING_COMMANDS,
        RedirectRoute: topics.ROUTING_COMMANDS,
        SettleAllocation: topics.ROUTING_COMMANDS,
        StockShelf: topics.ROUTING_COMMANDS,
        CountShelf: topics.ROUTING_COMMANDS,
        SettleCount: topics.ROUTING_COMMANDS,
        CloseWarehouse: topics.ROUTING_COMMANDS,
        AdoptPlan: topics.ROUTING_COMMANDS,
        NoteProducts: topics.ROUTING_COMMANDS,
        OpenWarehouse: topics.ROUTING_COMMANDS,
        RequestReview: topics.ORDERS_REVIEW,
        ConfirmCancel: topics.ORDER_COMMANDS,
    },
)
