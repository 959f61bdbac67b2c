"""The book of review rules that is in effect: one entry, `active`, at most 64 KB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import metrics
from pipeline.domain.rules.active import ACTIVE, ActiveRules
from pipeline.topics import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def measure(partitions: Sequence[Mapping[str, ActiveRules]]) -> None:
    """Show the version that is in effect in all of a worker's partitions."""
    versions = [entries[ACTIVE].version if ACTIVE in entries else 0 for entries in partitions]
    metrics.RULES_VERSION.set(min(versions, default=0))


RULEBOOK = Table(
    name="rulebook",
    value=ActiveRules,
    keeps="until the next version; all versions are in the topic rules.log",
    entries_max=1_000,
    measure=measure,
)
