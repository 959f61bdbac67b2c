"""What must be true of reservation's tables after every command, worked out afresh from its facts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pipeline.domain.events import HoldConsumed, StockAdjusted, StockReceived
from pipeline.domain.orders import SubPool
from pipeline.domain.reservation.index import Index
from pipeline.domain.reservation.values import UNROUTED, HoldState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.domain.orders import SkuUnits
    from pipeline.domain.ranked import Ranked
    from pipeline.domain.reservation import deciding as reservation
    from pipeline.domain.reservation.values import Balance
    from tests.domain.folding import Folded

Place = tuple[SubPool, str]
"""A sub-pool and a SKU of the one pool that the histories have."""


def check_reservation(folded: Folded) -> None:
    """Check that units are conserved, held once, waited for in order, and that the queues follow from the tables."""
    state: reservation.State = folded.state
    balances = _balances(state)
    assert all(0 <= balance.held <= balance.on_hand for balance in balances.values()), balances
    assert {place: one.held for place, one in balances.items() if one.held} == dict(+_held(state))
    assert _physical(state, balances) == dict(_conserved(folded))
    _check_pending(state)
    _check_waits(state, balances)
    _check_queues(state)
    for hold in state.holds.values():
        assert not hold.alarm_at or hold.state in {HoldState.HELD, HoldState.WAITING, HoldState.FROZEN}
        assert not hold.alarm_at or hold.paid_at
        settled = (*hold.consumed, *hold.released)
        assert len(set(settled)) == len(settled)


def _balances(state: reservation.State) -> dict[Place, Balance]:
    found = {(SubPool.STOCK, key.partition("|")[2]): one for key, one in state.stock.items()}
    for key, one in state.sub_stock.items():
        _, sub_pool, sku = key.split("|")
        found[SubPool(sub_pool), sku] = one
    return found


def _held(state: reservation.State) -> Counter[Place]:
    """Sum what the holds hold, and what is promised of goods in transit."""
    held: Counter[Place] = Counter()
    for order_id, hold in state.holds.items():
        sub_pool = state.apart.get(order_id, SubPool.STOCK)
        held.update({(sub_pool, unit.sku): unit.units for unit in hold.units})
    for key, wait in state.waits.items():
        if wait.is_presale:
            held[SubPool.PRESALE, key.partition("|")[2]] += wait.units
    return held


def _physical(state: reservation.State, balances: dict[Place, Balance]) -> dict[str, int]:
    """Sum what is there of each SKU; of presale what has come and is not with its orders yet."""
    sums: Counter[str] = Counter()
    for (_, sku), balance in balances.items():
        sums[sku] += balance.on_hand
    for key, units in state.in_transit.items():
        sums[key.partition("|")[2]] -= units
        assert units >= 0
    return {sku: units for sku, units in sums.items() if units}


def _conserved(folded: Folded) -> Counter[str]:
    """Sum what came less what left."""
    sums: Counter[str] = Counter()
    for fact in folded.facts:
        match fact:
            case StockReceived():
                sums.update(count(fact.units))
            case StockAdjusted():
                sums[fact.sku] += fact.change_units
            case HoldConsumed():
                sums.subtract(count(fact.units))
    return +sums


def _check_pending(state: reservation.State) -> None:
    """Remember what an order is routed with exactly as long as it may still be."""
    for order_id, hold in state.holds.items():
        assert (order_id in state.pending) == (hold.state in UNROUTED or hold.state is HoldState.EXPIRED), order_id
    for order_id, pending in state.pending.items():
        hold = state.holds[order_id]
        waits = {
            unit.sku: state.waits[f"{order_id}|{unit.sku}"].units
            for unit in pending.units
            if f"{order_id}|{unit.sku}" in state.waits
        }
        assert pending.waiting == sum(waits.values())
        assert (pending.expires_at is not None) == (hold.state is HoldState.TENTATIVE)
        if hold.state in UNROUTED:
            assert count(hold.units) + Counter(waits) == count(pending.units)
        if hold.state is HoldState.WAITING:
            assert pending.waiting
    assert all(key.partition("|")[0] in state.pending for key in state.waits)


def _check_waits(state: reservation.State, balances: dict[Place, Balance]) -> None:
    """Nobody waits for what is free, and what came of a delivery is with those who were promised it."""
    for key, wait in state.waits.items():
        sku = key.partition("|")[2]
        assert wait.units > 0
        if wait.is_presale:
            assert balances[SubPool.PRESALE, sku].on_hand == state.in_transit[f"{wait.pool}|{sku}"]
        else:
            balance = balances[SubPool.STOCK, sku]
            assert balance.on_hand == balance.held, key


def _check_queues(state: reservation.State) -> None:
    """Compare the queues with those that a restored stage builds."""
    built = Index()
    built.build(state.pending, state.waits, state.flashes)
    if not state.index.is_built:
        return
    assert _told(state.index.due) == _told(built.due)
    assert _told(state.index.closings) == _told(built.closings)
    for queues, others in ((state.index.presales, built.presales), (state.index.backorders, built.backorders)):
        assert {key: _told(queue) for key, queue in queues.items()} == {key: _told(one) for key, one in others.items()}


def _told(queue: Ranked) -> list[tuple[tuple[int, ...], str]]:
    return list(queue.walk())


def count(units: Iterable[SkuUnits]) -> Counter[str]:
    """Sum units by SKU."""
    sums: Counter[str] = Counter()
    for unit in units:
        sums[unit.sku] += unit.units
    return sums
