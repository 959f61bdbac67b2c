"""What a SKU is made of that is a bundle, by `pool|SKU`: BUNDLE_PARTS_MAX parts at most."""

from __future__ import annotations

from pipeline.domain.reservation.values import Bundle
from pipeline.topics import Table

BUNDLES = Table(name="bundles", value=Bundle, keeps="until it is a SKU of its own again", entries_max=1_000_000)
