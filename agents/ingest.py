"""Ingest: understands what platforms push, and refuses what it cannot understand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, get_args

from pipeline import topics
from pipeline.connectors import translate
from pipeline.connectors.payload import Reference
from pipeline.connectors.shops import read_shop_pools
from pipeline.domain import ingest
from pipeline.domain.order_commands import OrderNews
from pipeline.engine.stage import DecidingStage

if TYPE_CHECKING:
    from pipeline.settings import Settings


def ingest_stage(settings: Settings) -> DecidingStage:
    """Give the stage; it needs the shop map and Shopify's secrets. Raises SettingsError."""
    secrets = [secret.strip().encode() for secret in settings.shopify_secrets.split(",") if secret.strip()]
    reference = Reference(read_shop_pools(settings.shop_pools_file), secrets)
    return DecidingStage(
        name="ingest",
        reads=topics.ORDERS_RAW,
        decode=partial(translate, reference=reference),
        state=ingest.State,
        decide=ingest.decide,
        evolve=ingest.evolve,
        writes=dict.fromkeys(get_args(OrderNews), topics.ORDER_COMMANDS),
    )
