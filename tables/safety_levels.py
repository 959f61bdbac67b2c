"""The SKUs whose level is watched, by `pool|SKU`: the rule, and eight days of what was sold, some 40 bytes."""

from __future__ import annotations

from pipeline.domain.reservation.values import Safety
from pipeline.topics import Table

SAFETY_LEVELS = Table(name="safety_levels", value=Safety, keeps="for ever", entries_max=1_000_000)
