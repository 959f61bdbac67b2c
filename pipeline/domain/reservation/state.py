"""What reservation remembers, and how its events change that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from pipeline.domain import order_policy
from pipeline.domain.alarms import Alarms
from pipeline.domain.errors import InvariantError
from pipeline.domain.events import (
    CancelRequested,
    HoldConsumed,
    HoldPlaced,
    HoldRefused,
    HoldReleased,
    HoldRepeated,
    NetworkFeedPassed,
    OrderCancelled,
    RefundDue,
    StockAdjusted,
    StockFeedRefused,
    StockFeedRepeated,
    StockReceived,
    WarehouseRegistered,
)
from pipeline.domain.notes import AddressNoted, BuyerNoted, HoldNoted
from pipeline.domain.order_events import OrderPolicySet
from pipeline.domain.orders import SkuUnits, SubPool
from pipeline.domain.reservation.balances import apart, move
from pipeline.domain.reservation.facts import drop_pending, give_up, note, stock_fact, wait_for
from pipeline.domain.reservation.index import Index
from pipeline.domain.reservation.limits import first_alarm
from pipeline.domain.reservation.stock_facts import arrive, replenish, sell
from pipeline.domain.reservation.values import FROZEN, HELD, HOLD_STATES, TENTATIVE, Hold, HoldState, Network
from pipeline.domain.stock_events import HoldRegained, StockEvent

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from pipeline.domain.order_policy import OrderPolicy
    from pipeline.domain.reservation.values import Balance, Bundle, Flash, Inbound, Pending, Safety, Wait

Event = (
    HoldPlaced
    | HoldRefused
    | HoldRepeated
    | HoldConsumed
    | HoldReleased
    | CancelRequested
    | OrderCancelled
    | RefundDue
    | WarehouseRegistered
    | StockReceived
    | StockAdjusted
    | StockFeedRepeated
    | StockFeedRefused
    | NetworkFeedPassed
    | HoldRegained
    | OrderPolicySet
    | StockEvent
)
Fact = Event | HoldNoted | AddressNoted | BuyerNoted
FLASH = SubPool.FLASH


@dataclass(frozen=True, slots=True)
class State:
    """`stock` by `pool|SKU`, `holds` by order id, `feeds` (the feed's time) by `pool|feed id`, `networks` by pool.

    `sub_stock` by `pool|sub-pool|SKU`, `in_transit` (units), `flashes`, `bundles` and `safety` by `pool|SKU`,
    `flash_buyers` (units that a buyer was given) by `pool|SKU|buyer`, `inbounds` by `pool|inbound id`, `pending` and
    `apart` (where units are held, if not in stock) by order id, `waits` by `order id|SKU`,
    `policies` by ORDERS. `alarms` and `index` follow from these.
    """

    stock: MutableMapping[str, Balance]
    holds: MutableMapping[str, Hold]
    feeds: MutableMapping[str, int]
    networks: MutableMapping[str, Network]
    sub_stock: MutableMapping[str, Balance]
    in_transit: MutableMapping[str, int]
    inbounds: MutableMapping[str, Inbound]
    flashes: MutableMapping[str, Flash]
    bundles: MutableMapping[str, Bundle]
    safety: MutableMapping[str, Safety]
    pending: MutableMapping[str, Pending]
    waits: MutableMapping[str, Wait]
    apart: MutableMapping[str, SubPool]
    flash_buyers: MutableMapping[str, int]
    policies: MutableMapping[str, OrderPolicy]
    alarms: Alarms = field(init=False, compare=False, default_factory=Alarms)
    index: Index = field(init=False, compare=False, default_factory=Index)

    @property
    def policy(self) -> OrderPolicy:
        """The limits in force."""
        return order_policy.in_force(self.policies)


def ready(state: State) -> Index:
    """Give the queues, built if they were not."""
    if not state.index.is_built:
        state.index.build(state.pending, state.waits, state.flashes)
        state.index.frozen = {key for key in state.pending if state.holds[key].state is HoldState.FROZEN}
    return state.index


def part_of(order_id: str, fulfilment_id: str) -> str:
    """Give what tells an order's parts apart: the hold's key says the rest of the fulfilment id already."""
    return fulfilment_id.removeprefix(order_id)


def evolve(state: State, fact: Fact) -> None:
    """Apply a fact."""
    match fact:
        case HoldPlaced() | HoldRegained():
            _hold(state, fact)
        case HoldRefused():
            state.holds[fact.order_id] = Hold(HoldState.REFUSED)
        case HoldConsumed() | HoldReleased():
            _let_go(state, fact)
        case CancelRequested():
            hold = state.holds[fact.order_id]
            state.holds[fact.order_id] = Hold(HoldState.CANCELLING, hold.units, hold.consumed, hold.released)
            state.alarms.note(fact.order_id, 0)
        case RefundDue():
            state.holds[fact.order_id] = Hold(HoldState.REFUND_DUE)
            drop_pending(state, fact.order_id)
        case HoldRepeated() | OrderCancelled() | StockFeedRepeated():
            pass
        case OrderPolicySet() | NetworkFeedPassed():
            _note(state, fact)
        case WarehouseRegistered() | StockReceived() | StockAdjusted() | StockFeedRefused():
            state.feeds[f"{fact.pool}|{fact.feed_id}"] = fact.at
            _feed(state, fact)
        case HoldNoted() | AddressNoted() | BuyerNoted():
            note(state, fact)
        case _:
            stock_fact(state, fact)


def _note(state: State, fact: OrderPolicySet | NetworkFeedPassed) -> None:
    if isinstance(fact, OrderPolicySet):
        state.policies[order_policy.ORDERS] = fact.policy
    else:
        state.feeds[f"{fact.pool}|{fact.feed_id}"] = fact.at


def _change(state: State, pool: str, units: tuple[SkuUnits, ...], on_hand: int, held: int) -> None:
    """Move units of what is in stock: `on_hand` and `held` say by which multiple of each."""
    move(state.stock, f"{pool}|", units, on_hand, held)


def _hold(state: State, event: HoldPlaced | HoldRegained) -> None:
    """Hold what is there, and queue the order for the rest."""
    order_id, pool = event.order_id, event.pool
    hold_state = HOLD_STATES[event.to_state]
    paid_at = alarm_at = 0
    if hold_state is not TENTATIVE:
        paid_at = event.at if isinstance(event, HoldRegained) or event.paid_at is None else event.paid_at
        alarm_at = first_alarm(state.policy, hold_state, paid_at, event.at)
    state.holds[order_id] = Hold(hold_state, event.units, (), (), paid_at, alarm_at)
    state.alarms.note(order_id, alarm_at)
    if hold_state is FROZEN:
        state.index.frozen.add(order_id)
    if event.sub_pool is FLASH:
        state.apart[order_id] = FLASH
        move(state.sub_stock, apart(pool, FLASH), event.units, 0, 1)
    else:
        _change(state, pool, event.units, 0, 1)
    if event.waiting:
        wait_for(state, order_id, event.waiting)
    if hold_state is HELD and isinstance(event, HoldRegained):
        drop_pending(state, order_id)
    if state.safety and hold_state is not TENTATIVE:
        sell(state, event, (*event.units, *event.waiting))


def _let_go(state: State, event: HoldConsumed | HoldReleased) -> None:
    """Take units out of their hold: they are gone, or free again."""
    on_hand = -1 if isinstance(event, HoldConsumed) else 0
    sub_pool = state.apart.get(event.order_id) if state.apart else None
    if isinstance(event, HoldReleased) and event.order_id in state.pending:
        give_up(state, event, HoldState.RELEASED)
        drop_pending(state, event.order_id)
    else:
        _settle(state, event)
    if sub_pool is None:
        _change(state, event.pool, event.units, on_hand, -1)
        return
    move(state.sub_stock, apart(event.pool, sub_pool), event.units, on_hand, -1)
    if not state.holds[event.order_id].units:
        state.apart.pop(event.order_id, None)


def _settle(state: State, event: HoldConsumed | HoldReleased) -> None:
    """Take a fulfilment order's units out of its hold."""
    hold, part = state.holds[event.order_id], part_of(event.order_id, event.fulfilment_id)
    units = () if hold.units == event.units else _left(hold, event)
    consumed, released = hold.consumed, hold.released
    if part in consumed or part in released:
        message = f"{event.fulfilment_id}: settled twice"
        raise InvariantError(message)
    if isinstance(event, HoldConsumed):
        consumed += (part,)
    else:
        released += (part,)
    if units:
        state.holds[event.order_id] = Hold(hold.state, units, consumed, released, hold.paid_at, hold.alarm_at)
        return
    state.holds[event.order_id] = Hold(hold.state, units, consumed, released)
    state.alarms.note(event.order_id, 0)


def _left(hold: Hold, event: HoldConsumed | HoldReleased) -> tuple[SkuUnits, ...]:
    """Give what a part leaves of its hold."""
    left = {unit.sku: unit.units for unit in hold.units}
    for unit in event.units:
        left[unit.sku] = left.get(unit.sku, 0) - unit.units
    if any(units < 0 for units in left.values()):
        message = f"{event.fulfilment_id}: settles {event.units} of a hold of {hold.units}"
        raise InvariantError(message)
    return tuple(SkuUnits(sku, count) for sku, count in left.items() if count)


def _feed(state: State, event: WarehouseRegistered | StockReceived | StockAdjusted | StockFeedRefused) -> None:
    """Apply what a warehouse said."""
    match event:
        case WarehouseRegistered():
            known = state.networks.get(event.pool, Network(()))
            if event.warehouse not in known.warehouses:
                state.networks[event.pool] = Network((*known.warehouses, event.warehouse))
        case StockReceived():
            _change(state, event.pool, arrive(state, event), 1, 0)
            replenish(state, event, event.units)
        case StockAdjusted():
            units = (SkuUnits(event.sku, event.change_units),)
            _change(state, event.pool, units, 1, 0)
            replenish(state, event, units)
        case StockFeedRefused():
            pass
        case _:
            assert_never(event)
