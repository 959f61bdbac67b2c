"""Dedup: each order once; doubtful ones to the reviewers, paid ones on to reservation; what time and people decide."""

from __future__ import annotations

from pipeline import topics
from pipeline.domain.commands import CancelHold, ConfirmHold, PlaceHold, RequestReview
from pipeline.domain.dedup import deciding as dedup
from pipeline.domain.order_commands import ExpediteHold, OrderCommand, ReplaceAddress, TrimHold
from pipeline.engine.stage import DecidingStage, decoder
from tables.clock import CLOCK
from tables.deadlines import DEADLINES
from tables.orders import ORDERS
from tables.policies import POLICIES
from tables.receivers import RECEIVERS
from tables.refunds import REFUNDS
from tables.reviews import REVIEWS
from tables.rulebook import RULEBOOK
from tables.trims import TRIMS
from tables.twins import TWINS

DEDUP = DecidingStage(
    name="dedup",
    reads=topics.ORDER_COMMANDS,
    decode=decoder(OrderCommand),
    state=dedup.State,
    tables=(ORDERS, RECEIVERS, REVIEWS, TWINS, DEADLINES, TRIMS, REFUNDS, POLICIES, RULEBOOK, CLOCK),
    decide=dedup.decide,
    evolve=dedup.evolve,
    writes={
        PlaceHold: topics.STOCK_COMMANDS,
        ConfirmHold: topics.STOCK_COMMANDS,
        CancelHold: topics.STOCK_COMMANDS,
        TrimHold: topics.STOCK_COMMANDS,
        ExpediteHold: topics.STOCK_COMMANDS,
        ReplaceAddress: topics.STOCK_COMMANDS,
        RequestReview: topics.ORDERS_REVIEW,
    },
)
