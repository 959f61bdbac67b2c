"""What routing must know of a SKU, by `pool|SKU`: category and weight, some 20 bytes."""

from __future__ import annotations

from pipeline.domain.routing.plan import Product
from pipeline.topics import Table

PRODUCTS = Table(name="products", value=Product, keeps="for ever", entries_max=2_000_000)
