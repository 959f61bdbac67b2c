"""What holds an order for review, by order id: a hundred bytes a reason; then what a reviewer has let pass.

Dropped when the order goes on, or ends.
"""

from __future__ import annotations

from pipeline.domain.dedup.values import Review
from pipeline.topics import Table

REVIEWS = Table(name="reviews", value=Review, keeps="while the order waits", entries_max=1_000_000)
