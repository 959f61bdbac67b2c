"""Plans, products and closures for the tests: few names, so that they meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pipeline.domain.network_commands import DescribeSkus, SetRoutingPlan, WithdrawWarehouse
from pipeline.domain.orders import SkuUnits
from pipeline.domain.routing.plan import Lane, PlannedWarehouse, RoutingPlan, SkuFacts, Weights
from pipeline.domain.routing_commands import AdoptPlan, CloseWarehouse, NoteProducts, OpenWarehouse, StockShelf

CATEGORIES = ("fresh", "liquid", "")
WAREHOUSES = ("w1", "w2", "w3")
SKUS = ("X", "Y", "Z")
PLACES = ((30.0, 120.0), (40.0, 116.0), (23.0, 113.0))
names = st.sampled_from(WAREHOUSES)
weights = st.integers(0, 3)
few = st.integers(0, 4)


@st.composite
def warehouses(draw: st.DrawFn) -> tuple[PlannedWarehouse, ...]:
    """Plan some of the warehouses."""
    return tuple(
        PlannedWarehouse(
            name=name,
            city=draw(st.sampled_from(("", "杭州市"))),
            regions=draw(st.sampled_from(((), ("浙江省",), ("北京市", "浙江")))),
            categories=draw(st.sampled_from(((), ("fresh",), ("fresh", "liquid")))),
            daily_parts_max=draw(few),
            parcel_minor=draw(st.integers(0, 900)),
            minor_per_100_km=draw(st.integers(0, 90)),
            lanes=draw(st.sampled_from(((), (Lane(province="浙江", parcel_minor=500),)))),
        )
        for name in draw(st.lists(names, unique=True))
    )


plans = st.builds(
    RoutingPlan,
    version=st.sampled_from(("1", "2")),
    weights=st.builds(
        Weights, nearest=weights, region=weights, cost=weights, load=weights, category=weights, priority=weights
    ),
    warehouses=warehouses(),
    water_line=few,
    apart=st.sampled_from(((), ("fresh",), ("liquid", "fresh"))),
    parcel_grams_max=st.sampled_from((0, 0, 500, 1500)),
    wave_minutes=st.sampled_from(((), (360, 400, 440))),
    wave_parts_max=st.integers(1, 3),
    express_priority=st.integers(0, 2),
    checks_items=st.booleans(),
    cutoff_minute=st.sampled_from((370, 1020)),
    km_per_day=st.sampled_from((400, 800)),
)
facts = st.lists(
    st.builds(
        SkuFacts,
        sku=st.sampled_from(SKUS),
        category=st.sampled_from(CATEGORIES),
        grams=st.sampled_from((0, 300, 700, 2000)),
    ),
    max_size=3,
).map(tuple)


@st.composite
def planned_networks(draw: st.DrawFn, pool: str, at: int) -> list[Any]:
    """Open three warehouses, fill them, and give them a plan."""
    units = draw(st.lists(st.integers(0, 7), min_size=9, max_size=9))
    shelves = [
        StockShelf(
            at=at,
            pool=pool,
            warehouse=name,
            units=tuple(SkuUnits(sku, units[3 * place + line]) for line, sku in enumerate(SKUS)),
        )
        for place, name in enumerate(WAREHOUSES)
    ]
    opened = [
        OpenWarehouse(at=at, pool=pool, warehouse=name, latitude=north, longitude=east)
        for name, (north, east) in zip(WAREHOUSES, PLACES, strict=True)
    ]
    plan = AdoptPlan(at=at, pool=pool, plan=draw(plans))
    return [*opened, *shelves, plan, NoteProducts(at=at, pool=pool, skus=draw(facts))]


def network_commands(pools: Any, times: Any) -> Any:  # noqa: ANN401  strategies
    """Tell routing of the network."""
    return st.one_of(
        st.builds(AdoptPlan, at=times, pool=pools, plan=plans),
        st.builds(NoteProducts, at=times, pool=pools, skus=facts),
        st.builds(CloseWarehouse, at=times, pool=pools, warehouse=names, reason=st.just("flood")),
    )


def network_feeds(pools: Any, times: Any, feed_ids: Any) -> Any:  # noqa: ANN401  strategies
    """Tell reservation of the network."""
    broken = plans.map(lambda plan: RoutingPlan(version=plan.version, wave_minutes=(400, 360)))
    return st.one_of(
        st.builds(SetRoutingPlan, at=times, pool=pools, feed_id=feed_ids, plan=st.one_of(plans, broken)),
        st.builds(DescribeSkus, at=times, pool=pools, feed_id=feed_ids, skus=facts),
        st.builds(WithdrawWarehouse, at=times, pool=pools, feed_id=feed_ids, warehouse=names, reason=st.just("flood")),
    )
