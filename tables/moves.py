"""A part that is being sent again, by the fulfilment id that it has yet: about 80 bytes."""

from __future__ import annotations

from pipeline.domain.routing.values import Move
from pipeline.topics import Table

MOVES = Table(
    name="moves",
    value=Move,
    keeps="until it is certain whether it left",
    entries_max=200_000,
)
