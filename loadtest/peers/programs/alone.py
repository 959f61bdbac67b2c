"""This engine with a stage that does the job and nothing else.

`python -m loadtest.peers.programs.alone provision|worker` runs it as a deployment of its own, with the project's
settings. Tables and their values are the real stage's.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import topics
from pipeline.domain.commands import Command
from pipeline.domain.events import Event, HoldPlaced, HoldRefused, HoldRepeated
from pipeline.domain.notes import Note
from pipeline.domain.orders import SkuUnits
from pipeline.domain.reservation.values import EMPTY, Balance, Hold, HoldState
from pipeline.engine.provision import provision
from pipeline.engine.stage import DecidingStage, decoder
from pipeline.engine.worker import run_worker
from pipeline.errors import HoldfastError
from pipeline.settings import read_settings
from tables.holds import HOLDS
from tables.stock import STOCK

if TYPE_CHECKING:
    from collections.abc import MutableMapping


class Place(Command, frozen=True, kw_only=True, tag="PlaceHold"):
    """Hold all units of an order, or none."""

    pool: str
    order_id: str
    units: tuple[SkuUnits, ...]


class Receive(Command, frozen=True, kw_only=True, tag="ReceiveStock"):
    """Goods arrived."""

    pool: str
    units: tuple[SkuUnits, ...]


class Register(Command, frozen=True, kw_only=True, tag="RegisterWarehouse"):
    """A warehouse joins: nothing to this job."""


class Received(Note, frozen=True, kw_only=True):
    """Goods arrived."""

    pool: str
    units: tuple[SkuUnits, ...]


@dataclass(slots=True)
class State:
    """The tables of the stage: by `pool|SKU`, and by order id."""

    stock: MutableMapping[str, Balance]
    holds: MutableMapping[str, Hold]


def decide(state: State, command: Place | Receive | Register) -> tuple[Event | Note, ...]:
    """Answer a command."""
    if isinstance(command, Register):
        return ()
    if isinstance(command, Receive):
        return (Received(pool=command.pool, units=command.units),)
    order_id, at, pool = command.order_id, command.at, command.pool
    before = state.holds.get(order_id)
    if before is not None:
        return (HoldRepeated(order_id=order_id, at=at, answer=before.state),)
    prefix, stock = f"{pool}|", state.stock
    for unit in command.units:
        balance = stock.get(prefix + unit.sku, EMPTY)
        if balance.held + unit.units > balance.on_hand:
            return (HoldRefused(order_id=order_id, at=at, pool=pool, reason="out_of_stock", short=(unit,)),)
    return (HoldPlaced(order_id=order_id, at=at, pool=pool, units=command.units),)


def evolve(state: State, fact: Event | Note) -> None:
    """Apply a fact."""
    match fact:
        case HoldPlaced():
            state.holds[fact.order_id] = Hold(HoldState.HELD, fact.units)
            _move(state, fact.pool, fact.units, 0, 1)
        case HoldRefused():
            state.holds[fact.order_id] = Hold(HoldState.REFUSED)
        case Received():
            _move(state, fact.pool, fact.units, 1, 0)


def _move(state: State, pool: str, units: tuple[SkuUnits, ...], on_hand: int, held: int) -> None:
    for unit in units:
        key = f"{pool}|{unit.sku}"
        before = state.stock.get(key, EMPTY)
        state.stock[key] = Balance(before.on_hand + on_hand * unit.units, before.held + held * unit.units)


STAGE = DecidingStage(
    name="reservation",
    reads=topics.STOCK_COMMANDS,
    decode=decoder(Place | Receive | Register),
    state=State,
    tables=(STOCK, HOLDS),
    decide=decide,
    evolve=evolve,
)


def main(arguments: list[str]) -> int:
    """Create the topics, or run one worker. Gives its exit status."""
    settings = read_settings(os.environ, needs=("kafka",))
    try:
        if arguments == ["worker"]:
            return run_worker(settings, (STAGE,))
        print("\n".join(provision(settings, (STAGE,))))
    except HoldfastError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
