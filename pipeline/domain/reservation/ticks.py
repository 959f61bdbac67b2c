"""What the time brings: holds that nobody confirmed expire, flash sales end, and who was left waiting is served.

An order that the safety level froze goes on by itself once all its SKUs are at their levels again.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pipeline.domain.orders import SubPool
from pipeline.domain.reservation.answers import Answer, Answers, route, waiting_of
from pipeline.domain.reservation.balances import balance_of
from pipeline.domain.reservation.limits import overdue
from pipeline.domain.reservation.safeguards import is_low
from pipeline.domain.reservation.serving import Serving
from pipeline.domain.reservation.state import ready
from pipeline.domain.reservation.values import HoldState
from pipeline.domain.stock_events import FlashClosed, HoldConfirmed, HoldExpired, StockTransferred

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.domain.commands import Tick
    from pipeline.domain.reservation.state import State

EXPIRIES_PER_TICK_MAX = 5_000
"""One Tick's answer ends there; the next one goes on."""
THAWS_PER_TICK_MAX = 1_000
"""Of so many frozen orders it is looked at a time whether they may go on; of more, others at the next Tick."""


def tick(state: State, command: Tick) -> Answers:
    """Do what is due by now."""
    index, at = ready(state), command.at
    gone: set[str] = set()
    free: Counter[str] = Counter()
    """Units of stock set free, by `pool|SKU`."""
    flash: Counter[str] = Counter()
    answers: list[Answer] = list(_thaw(state, at))
    for (expires_at,), order_id in index.due.walk():
        if expires_at > at or len(gone) >= EXPIRIES_PER_TICK_MAX:
            break
        gone.add(order_id)
        expired = _expire(state, order_id, at)
        answers.append(expired)
        gained = flash if expired.sub_pool is SubPool.FLASH else free
        for unit in expired.units:
            gained[f"{expired.pool}|{unit.sku}"] += unit.units
    answers.extend(_end_flashes(state, at, flash, free))
    serving = Serving(state, at, gone)
    if index.is_behind:
        index.is_behind = False
        serving.presale(dict.fromkeys(sorted(index.presales), 0))
        free.update(dict.fromkeys(sorted(index.backorders), 0))
    serving.free(free)
    return (*overdue(state, at), *answers, *serving.answers)


def _thaw(state: State, at: int) -> Iterator[Answer]:
    """Let frozen orders go on that hold all they want, where nothing of it is below its level before this Tick."""
    names = sorted(ready(state).frozen)
    if len(names) > THAWS_PER_TICK_MAX:
        begin = at // 1000 * THAWS_PER_TICK_MAX % len(names)
        names = [*names[begin:], *names[:begin]][:THAWS_PER_TICK_MAX]
    for order_id in names:
        pending = state.pending[order_id]
        if not pending.waiting and not is_low(state, at, pending.pool, [unit.sku for unit in pending.units]):
            yield HoldConfirmed(
                order_id=order_id, at=at, from_state=HoldState.FROZEN, to_state=HoldState.HELD, pool=pending.pool
            )
            yield route(pending, order_id, at)


def _expire(state: State, order_id: str, at: int) -> HoldExpired:
    pending = state.pending[order_id]
    return HoldExpired(
        order_id=order_id,
        at=at,
        pool=pending.pool,
        sub_pool=pending.sub_pool,
        units=state.holds[order_id].units,
        waiting=waiting_of(state, order_id, pending),
    )


def _end_flashes(state: State, at: int, gained: Counter[str], free: Counter[str]) -> list[Answer]:
    """End the flash sales whose time is over; what is left of them, and what comes back to them, is in stock again."""
    answers: list[Answer] = []
    for (closes_at,), key in ready(state).closings.walk():
        if closes_at > at:
            break
        pool, _, sku = key.partition("|")
        balance = balance_of(state, pool, SubPool.FLASH, sku)
        units = balance.on_hand - balance.held + gained.pop(key, 0)
        flash_id = state.flashes[key].flash_id
        answers.append(FlashClosed(at=at, pool=pool, flash_id=flash_id, sku=sku, units=units))
        free[key] += units
    for key, units in gained.items():
        if key not in state.flashes:
            answers.append(from_flash(at, key, units))
            free[key] += units
    return answers


def from_flash(at: int, key: str, units: int) -> StockTransferred:
    """Send units that came back to a flash sale that is over to what is in stock; `key` is `pool|SKU`."""
    pool, _, sku = key.partition("|")
    return StockTransferred(at=at, pool=pool, sku=sku, units=units, from_pool=SubPool.FLASH, to_pool=SubPool.STOCK)
