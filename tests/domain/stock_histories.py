"""What reservation may be told, in any order."""

from __future__ import annotations

from hypothesis import strategies as st

from pipeline.domain.commands import (
    AdjustStock,
    CancelHold,
    ConfirmHold,
    ConsumeHold,
    PlaceHold,
    ReceiveStock,
    RegisterWarehouse,
    ReleaseHold,
    Tick,
)
from pipeline.domain.order_commands import ExpediteHold, ReplaceAddress, TrimHold
from pipeline.domain.orders import SkuUnits, SubPool
from pipeline.domain.stock_commands import (
    AnnounceInbound,
    CloseInbound,
    CorrectStock,
    CountStock,
    DecideHold,
    DefineBundle,
    OpenFlash,
    SetSafety,
    TransferStock,
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
from tests.domain.networks import network_feeds
from tests.domain.order_histories import policies_set
from tests.domain.orders import HOUR_MS, NOON

feed_ids = st.sampled_from(("f1", "f2", "f3", "f4"))
skus = st.sampled_from(SKUS)
inbound_ids = st.sampled_from(("i1", "i2"))
sub_pools = st.sampled_from(SubPool)
goods = st.lists(st.builds(SkuUnits, skus, st.integers(-1, 9)), max_size=3).map(tuple)

places = st.builds(
    PlaceHold,
    at=times,
    pool=pools,
    order_id=order_ids,
    units=some_units,
    ship_to=ship_to,
    sub_pool=sub_pools,
    may_split=st.booleans(),
    priority=st.integers(0, 2),
    expires_at=st.none() | times,
    stock_gate=st.sampled_from(("", "gate@1")),
    paid_at=st.just(0) | times,
    buyer=st.sampled_from(("", "ann")),
)
holds = st.one_of(
    places,
    st.builds(ConfirmHold, at=times, pool=pools, order_id=order_ids, paid_minor=st.integers(0, 2)),
    st.builds(DecideHold, at=times, pool=pools, order_id=order_ids, reviewer=st.just("ann"), approve=st.booleans()),
    st.builds(CancelHold, at=times, pool=pools, order_id=order_ids, reason=reasons),
    st.builds(
        TrimHold,
        at=times,
        pool=pools,
        order_id=order_ids,
        units=some_units,
        reason=reasons,
        trim_id=st.sampled_from(("t1", "t2")),
    ),
    st.builds(ExpediteHold, at=times, pool=pools, order_id=order_ids, priority=st.integers(0, 3)),
    st.builds(ReplaceAddress, at=times, pool=pools, order_id=order_ids, ship_to=ship_to),
    st.builds(ConsumeHold, at=times, pool=pools, order_id=order_ids, fulfilment_id=fulfilments, units=some_units),
    st.builds(
        ReleaseHold,
        at=times,
        pool=pools,
        order_id=order_ids,
        fulfilment_id=fulfilments,
        units=some_units,
        reason=reasons,
    ),
)
of_warehouses = st.one_of(
    st.builds(
        RegisterWarehouse,
        at=times,
        pool=pools,
        feed_id=st.sampled_from(("g1", "g2")),
        warehouse=warehouses,
        latitude=degrees,
        longitude=degrees,
    ),
    st.builds(
        ReceiveStock,
        at=times,
        pool=pools,
        feed_id=feed_ids,
        warehouse=warehouses,
        units=goods,
        inbound_id=st.just("") | inbound_ids,
    ),
    st.builds(
        AdjustStock,
        at=times,
        pool=pools,
        feed_id=feed_ids,
        warehouse=warehouses,
        sku=skus,
        change_units=st.integers(-9, 9),
        reason=reasons,
    ),
    st.builds(
        CountStock,
        at=times,
        pool=pools,
        feed_id=feed_ids,
        warehouse=warehouses,
        sku=skus,
        counted_units=st.integers(0, 9),
    ),
    st.builds(
        CorrectStock,
        at=times,
        pool=pools,
        feed_id=st.sampled_from(("count|f1", "count|f2")),
        count_id=st.sampled_from(("f1", "f2")),
        warehouse=warehouses,
        sku=skus,
        change_units=st.integers(-9, 9),
    ),
)
of_planners = st.one_of(
    st.builds(
        AnnounceInbound,
        at=times,
        pool=pools,
        feed_id=st.sampled_from(("a1", "a2", "a3")),
        inbound_id=inbound_ids,
        warehouse=warehouses,
        units=goods,
    ),
    st.builds(CloseInbound, at=times, pool=pools, feed_id=st.sampled_from(("c1", "c2")), inbound_id=inbound_ids),
    st.builds(
        TransferStock,
        at=times,
        pool=pools,
        feed_id=st.sampled_from(("s1", "s2", "s3")),
        sku=skus,
        units=st.integers(1, 4),
        from_pool=sub_pools,
        to_pool=sub_pools,
    ),
    st.builds(
        OpenFlash,
        at=times,
        pool=pools,
        flash_id=st.sampled_from(("618", "11.11")),
        sku=skus,
        units=st.integers(1, 4),
        opens_at=times,
        closes_at=times,
        per_buyer_max=st.integers(0, 2),
    ),
    st.builds(
        DefineBundle,
        at=times,
        pool=pools,
        feed_id=st.sampled_from(("b1", "b2")),
        sku=skus,
        parts=st.lists(st.builds(SkuUnits, skus, st.integers(1, 2)), max_size=2).map(tuple),
    ),
    st.builds(
        SetSafety,
        at=times,
        pool=pools,
        feed_id=st.sampled_from(("l1", "l2")),
        sku=skus,
        lead_days=st.integers(0, 2),
        floor_units=st.integers(0, 4),
    ),
)
stock_commands = st.one_of(
    network_feeds(pools, times, st.sampled_from(("n1", "n2", "n3"))),
    holds,
    holds,
    of_warehouses,
    of_planners,
    policies_set,
    st.builds(Tick, at=st.integers(NOON, NOON + 9 * HOUR_MS)),
)
