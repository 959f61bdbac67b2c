"""Where an order ships from, by order id.

While parts are outstanding, their units, about 15 bytes a line; then 10 bytes.
"""

from __future__ import annotations

from pipeline.domain.routing_state import Route
from pipeline.topics import Table

ROUTES = Table(name="routes", value=Route, keeps="for ever: a repeat gets its first answer", entries_max=5_000_000)
