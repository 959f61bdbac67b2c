"""Routing: which warehouses ship an order, with the scores that were compared."""

from __future__ import annotations

from pipeline import topics
from pipeline.domain.commands import CancelFulfilment, ConsumeHold, IssueWaybill, ReleaseHold
from pipeline.domain.routing import deciding as routing
from pipeline.domain.routing_commands import RoutingCommand
from pipeline.domain.stock_commands import CorrectStock
from pipeline.engine.stage import DecidingStage, decoder
from tables.addresses import ADDRESSES
from tables.closures import CLOSURES
from tables.counts import COUNTS
from tables.floor import FLOOR
from tables.loads import LOADS
from tables.moves import MOVES
from tables.plans import PLANS
from tables.products import PRODUCTS
from tables.routes import ROUTES
from tables.shelves import SHELVES
from tables.warehouses import WAREHOUSES
from tables.waves import WAVES

ROUTING = DecidingStage(
    name="routing",
    reads=topics.ROUTING_COMMANDS,
    decode=decoder(RoutingCommand),
    state=routing.State,
    tables=(WAREHOUSES, SHELVES, ROUTES, PLANS, PRODUCTS, LOADS, CLOSURES, FLOOR, MOVES, ADDRESSES, WAVES, COUNTS),
    decide=routing.decide,
    evolve=routing.evolve,
    writes={
        IssueWaybill: topics.WAYBILL_COMMANDS,
        CancelFulfilment: topics.WAYBILL_COMMANDS,
        ReleaseHold: topics.STOCK_COMMANDS,
        ConsumeHold: topics.STOCK_COMMANDS,
        CorrectStock: topics.STOCK_COMMANDS,
    },
)
