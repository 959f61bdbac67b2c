"""Where a routed order goes, by order id, some 200 bytes: a part may have to be sent again. Personal."""

from __future__ import annotations

from pipeline.domain.orders import ShipTo
from pipeline.topics import Table

ADDRESSES = Table(
    name="addresses",
    value=ShipTo,
    keeps="until the order's last part is settled; of pools with a plan, and of orders whose address changed",
    entries_max=2_000_000,
)
