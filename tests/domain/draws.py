"""The few names over which histories are drawn, so that the commands of a history meet."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from pipeline.domain.orders import SkuUnits, fulfilment_id
from tests.domain.orders import HOUR_MS, NOON, POOL, SHIP_TO, order_id

SKUS = ("X", "Y", "Z")
WAREHOUSES = ("w1", "w2", "w3")
ORDERS = tuple(order_id(name) for name in "ABC")

times = st.integers(NOON, NOON + 3 * HOUR_MS)
pools = st.just(POOL)
order_ids = st.sampled_from(ORDERS)
fulfilments = st.builds(fulfilment_id, order_ids, st.integers(0, 2))
some_units = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 3), min_size=1).map(
    lambda units: tuple(SkuUnits(sku, units[sku]) for sku in sorted(units))
)
reasons = st.sampled_from(("buyer", "other"))
ship_to = st.sampled_from((SHIP_TO, msgspec.structs.replace(SHIP_TO, province="Narnia")))
warehouses = st.sampled_from(WAREHOUSES)
degrees = st.sampled_from((20.0, 30.0, 40.0))
