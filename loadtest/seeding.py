"""Fill the shelves before a load: send the stock feed, and wait until routing has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.generator import Outlet, fill
from pipeline.topics import STOCK_COMMANDS

if TYPE_CHECKING:
    from loadtest.deployment import Site
    from loadtest.watching import Watch

STOCK_SECONDS = 60.0


def seed_stock(watch: Watch, place: Site, feed: list[tuple[bytes, bytes]], deliveries: int) -> None:
    """Send the (key, value) records of a feed, of which so many bring goods, and wait until they are on shelves."""
    outlet = Outlet(place.settings.kafka, place.settings.kafka_config)
    sent = fill(outlet, STOCK_COMMANDS.name, feed)
    outlet.close()
    watch.say(f"stock: {sent} commands sent")
    if not watch.wait(lambda: 0, lambda moment: moment.counts.stocked >= deliveries, STOCK_SECONDS):
        watch.say(f"stock: not absorbed within {STOCK_SECONDS:g} s; going on")
