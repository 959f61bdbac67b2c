"""Histories for every stage: commands in any order, over few names, so that they meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from pipeline.domain.commands import (
    Answer,
    CallKind,
    CancelFulfilment,
    Fulfilment,
    IssueWaybill,
    RecordAnswer,
    Report,
    ReportShipment,
    StopTracking,
    Tick,
    TrackShipment,
)
from pipeline.domain.ingest import Arrival
from pipeline.domain.orders import SkuUnits
from pipeline.domain.routing_commands import (
    CancelRoute,
    CountShelf,
    ExpediteRoute,
    OpenWarehouse,
    RedirectRoute,
    ReportStop,
    RouteOrder,
    ScanItem,
    ScanOutbound,
    SettleAllocation,
    SettleCount,
    StockShelf,
)
from tests.domain.draws import (
    SKUS,
    degrees,
    fulfilments,
    order_ids,
    pools,
    reasons,
    ship_to,
    some_units,
    times,
    warehouses,
)
from tests.domain.networks import network_commands
from tests.domain.order_histories import order_commands, order_news, policies_set
from tests.domain.orders import HOUR_MS, NOON, POOL, SHIP_TO
from tests.domain.stock_histories import stock_commands

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY_MS = 24 * HOUR_MS


count_ids = st.sampled_from(("c1", "c2", "c3"))
routed_orders = st.builds(
    RouteOrder,
    at=times,
    pool=pools,
    order_id=order_ids,
    units=some_units,
    ship_to=ship_to,
    priority=st.integers(0, 2),
    values_minor=st.lists(st.integers(0, 999), max_size=3).map(tuple),
    paid_minor=st.integers(0, 1000),
)
redirects = st.builds(RedirectRoute, at=times, pool=pools, order_id=order_ids, ship_to=ship_to)
stocked = st.builds(StockShelf, at=times, pool=pools, warehouse=warehouses, units=some_units)
routing_commands = st.one_of(
    routed_orders,
    st.builds(CancelRoute, at=times, pool=pools, order_id=order_ids, reason=reasons),
    st.builds(
        SettleAllocation,
        at=times,
        pool=pools,
        order_id=order_ids,
        fulfilment_id=fulfilments,
        shipped=st.booleans(),
        warehouse=st.just("") | warehouses,
        units=some_units,
    ),
    stocked,
    st.builds(
        StockShelf,
        at=times,
        pool=pools,
        warehouse=warehouses,
        units=st.builds(SkuUnits, st.sampled_from(SKUS), st.integers(-5, -1)).map(lambda unit: (unit,)),
    ),
    st.builds(
        CountShelf,
        at=times,
        pool=pools,
        feed_id=count_ids,
        warehouse=warehouses,
        sku=st.sampled_from(SKUS),
        counted_units=st.integers(0, 9),
    ),
    st.builds(SettleCount, at=times, pool=pools, feed_id=count_ids, applied=st.booleans()),
    st.builds(OpenWarehouse, at=times, pool=pools, warehouse=warehouses, latitude=degrees, longitude=degrees),
    network_commands(pools, times),
    st.builds(Tick, at=times),
    st.builds(ReportStop, at=times, pool=pools, order_id=order_ids, fulfilment_id=fulfilments, stopped=st.booleans()),
    redirects,
    st.builds(ExpediteRoute, at=times, pool=pools, order_id=order_ids, priority=st.integers(0, 3)),
    st.builds(
        ScanItem,
        at=times,
        pool=pools,
        order_id=order_ids,
        fulfilment_id=fulfilments,
        sku=st.sampled_from(SKUS),
        units=st.integers(0, 3),
    ),
    st.builds(ScanOutbound, at=times, pool=pools, order_id=order_ids, fulfilment_id=fulfilments, scan_id=st.just("s")),
)


def fulfilment(key: str) -> Fulfilment:
    """Give a fulfilment order: what it ships follows from its id, as it does in the flow."""
    units = (SkuUnits("X", 1 + int(key[-1])),)
    return Fulfilment(
        fulfilment_id=key, order_id=key.rpartition("-")[0], pool=POOL, warehouse="w1", parts=2, units=units
    )


waybill_commands = st.one_of(
    st.builds(
        lambda at, key: IssueWaybill(at=at, fulfilment_id=key, fulfilment=fulfilment(key), ship_to=SHIP_TO),
        times,
        fulfilments,
    ),
    st.builds(
        lambda at, key, reason, keeps: CancelFulfilment(
            at=at, fulfilment_id=key, fulfilment=fulfilment(key), reason=reason, keeps_hold=keeps
        ),
        times,
        fulfilments,
        reasons,
        st.booleans(),
    ),
    st.builds(
        RecordAnswer,
        at=times,
        fulfilment_id=fulfilments,
        key=st.just("k"),
        kind=st.sampled_from(CallKind),
        answer=st.sampled_from(Answer),
        waybill_no=st.sampled_from(("", "SF1")),
        reason=reasons,
    ),
)

tracking_commands = st.one_of(
    st.builds(
        lambda at, key: TrackShipment(
            at=at, fulfilment_id=key, fulfilment=fulfilment(key), carrier="sf", waybill_no="SF1"
        ),
        times,
        fulfilments,
    ),
    st.builds(
        ReportShipment,
        at=times,
        fulfilment_id=fulfilments,
        report_id=st.sampled_from(tuple("12345678")),
        report=st.sampled_from(Report),
        code=st.just("50"),
        waybill_no=st.just("SF1"),
        place=st.just("Hangzhou"),
    ),
    st.builds(StopTracking, at=times, fulfilment_id=fulfilments),
    policies_set,
    st.builds(Tick, at=st.integers(NOON, NOON + 9 * DAY_MS)),
)

arrivals = st.builds(Arrival, order_news, st.just("web"), st.just("s1"), st.just("A"))

COMMANDS: Mapping[str, st.SearchStrategy[Any]] = {
    "ingest": arrivals,
    "dedup": order_commands,
    "reservation": stock_commands,
    "routing": routing_commands,
    "waybill": waybill_commands,
    "tracking": tracking_commands,
}
"""What each deciding stage may be told, by its name."""
