"""How many units of an open flash sale a buyer was given, by `pool|SKU|token`; only of sales with a limit for each."""

from __future__ import annotations

from pipeline.topics import Table

FLASH_BUYERS = Table(name="flash_buyers", value=int, keeps="until the sale closes", entries_max=10_000_000)
