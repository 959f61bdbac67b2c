"""The book of review rules that is in effect: one entry, `active`, at most 64 KB."""

from __future__ import annotations

from pipeline.domain.rules_active import ActiveRules
from pipeline.topics import Table

RULEBOOK = Table(
    name="rulebook",
    value=ActiveRules,
    keeps="until the next version; all versions are in the topic rules.log",
    entries_max=1_000,
)
