"""Two stages that count: small enough to check every record of a run by hand.

`python counting.py provision|worker` runs them as a deployment of their own. The first stage counts the payments of
each order, and passes each count on; the second counts what it gets. Exactly once means: each order's events count
1, 2, 3 … without a gap and without a repeat, in both stages.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from pipeline import topics
from pipeline.domain.commands import CancelHold, Command, PayOrder
from pipeline.domain.events import Event, OrderPaid, RefundDue
from pipeline.engine.provision import provision
from pipeline.engine.stage import DecidingStage, decoder
from pipeline.engine.worker import run_worker
from pipeline.errors import HoldfastError
from pipeline.settings import read_settings
from pipeline.topics import Table

if TYPE_CHECKING:
    from collections.abc import MutableMapping


class Count(msgspec.Struct, frozen=True):
    """How many payments of an order were seen."""

    number: int


@dataclass(slots=True)
class State:
    counts: MutableMapping[str, Count]

    def after(self, order_id: str) -> int:
        return self.counts[order_id].number + 1 if order_id in self.counts else 1


def count_and_pass_on(state: State, command: PayOrder) -> tuple[Event | Command, ...]:
    number = state.after(command.order_id)
    return (
        OrderPaid(order_id=command.order_id, at=command.at, paid_minor=number),
        CancelHold(order_id=command.order_id, at=command.at, pool=command.pool, reason=str(number)),
    )


def count(state: State, command: CancelHold) -> tuple[Event, ...]:
    return (RefundDue(order_id=command.order_id, at=command.at, paid_minor=state.after(command.order_id)),)


def evolve(state: State, event: OrderPaid | RefundDue) -> None:
    state.counts[event.order_id] = Count(event.paid_minor)


COUNTS = Table(name="counts", value=Count, keeps="for ever", entries_max=1_000_000)
FIRST = DecidingStage(
    name="first",
    reads=topics.ORDER_COMMANDS,
    decode=decoder(PayOrder),
    state=State,
    tables=(COUNTS,),
    decide=count_and_pass_on,
    evolve=evolve,
    writes={CancelHold: topics.STOCK_COMMANDS},
)
SECOND = DecidingStage(
    name="second",
    reads=topics.STOCK_COMMANDS,
    decode=decoder(CancelHold),
    state=State,
    tables=(COUNTS,),
    decide=count,
    evolve=evolve,
)
STAGES = (FIRST, SECOND)


def main(word: str) -> int:
    settings = read_settings(os.environ, needs=("kafka",))
    try:
        if word == "worker":
            return run_worker(settings, STAGES)
        print("\n".join(provision(settings, STAGES)))
    except HoldfastError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
