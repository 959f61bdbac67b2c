"""Dedup: each order once; doubtful ones to the reviewers, paid ones on to reservation."""

from __future__ import annotations

from pipeline import topics
from pipeline.domain import dedup
from pipeline.domain.commands import CancelHold, OrderCommand, PlaceHold, RequestReview
from pipeline.engine.stage import DecidingStage, decoder
from tables.orders import ORDERS
from tables.receivers import RECEIVERS

DEDUP = DecidingStage(
    name="dedup",
    reads=topics.ORDER_COMMANDS,
    decode=decoder(OrderCommand),
    state=dedup.State,
    tables=(ORDERS, RECEIVERS),
    decide=dedup.decide,
    evolve=dedup.evolve,
    writes={
        PlaceHold: topics.STOCK_COMMANDS,
        CancelHold: topics.STOCK_COMMANDS,
        RequestReview: topics.ORDERS_REVIEW,
    },
)
