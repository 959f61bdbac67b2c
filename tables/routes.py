"""Where an order ships from, by order id.

While parts are outstanding, their units, about 15 bytes a line; then 10 bytes.
"""

from __future__ import annotations

from pipeline.domain.routing.values import Route
from pipeline.topics import REMEMBERED_MS, Table

ROUTES = Table(
    name="routes",
    value=Route,
    keeps="400 days: a repeat gets its first answer",
    entries_max=50_000_000,
    settled=Route.is_settled,
    keep_ms=REMEMBERED_MS,
)
