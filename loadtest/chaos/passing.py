"""The control's counterpart: a stage of this project's engine that counts, and passes on.

`python -m loadtest.chaos.passing provision|worker` runs it as a deployment of its own, with the project's settings.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from pipeline import topics
from pipeline.domain.commands import CancelHold, Command, PayOrder
from pipeline.domain.events import Event, OrderPaid
from pipeline.engine.provision import provision
from pipeline.engine.stage import DecidingStage, decoder
from pipeline.engine.worker import run_worker
from pipeline.errors import HoldfastError
from pipeline.settings import read_settings
from pipeline.topics import Table

if TYPE_CHECKING:
    from collections.abc import MutableMapping


class Count(msgspec.Struct, frozen=True):
    """How many records a key had."""

    number: int


@dataclass(slots=True)
class State:
    """The table of the stage."""

    counts: MutableMapping[str, Count]


def pass_on(state: State, command: PayOrder) -> tuple[Event | Command, ...]:
    """Count the records of a pool; pass each one on under its own order id."""
    seen = state.counts[command.pool].number if command.pool in state.counts else 0
    return (
        OrderPaid(order_id=command.pool, at=command.at, paid_minor=seen + 1),
        CancelHold(order_id=command.order_id, at=command.at, pool=command.pool, reason="passed on"),
    )


def evolve(state: State, event: OrderPaid) -> None:
    """Note the count."""
    state.counts[event.order_id] = Count(event.paid_minor)


STAGE = DecidingStage(
    name="passing",
    reads=topics.ORDER_COMMANDS,
    decode=decoder(PayOrder),
    state=State,
    tables=(Table(name="counts", value=Count, keeps="for ever", entries_max=100_000),),
    decide=pass_on,
    evolve=evolve,
    writes={CancelHold: topics.STOCK_COMMANDS},
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
