"""A fault of the group's offsets: somebody sets one back while no worker runs, as a wrong reset of offsets does."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException, TopicPartition

from loadtest.chaos.fault import Kind, Proof
from loadtest.chaos.group_faults import GROUP
from pipeline.engine.engine import EXIT_REFUSED
from pipeline.errors import SetupError
from pipeline.services.process import wait_until
from pipeline.settings import VARIABLES
from pipeline.topics import STOCK_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from loadtest.chaos.child import Child
    from loadtest.chaos.fault import Params
    from loadtest.chaos.rig import Rig

RECORDS = "records"
RECORDS_MAX = 20
DRAIN_SECONDS = 15.0
EMPTY_SECONDS = 20.0
"""How long the group may take to forget its members: they are static, and missed after their session."""
REFUSAL_SECONDS = 25.0
CHECKPOINT_WAIT_SECONDS = 1.0
"""For the worker that is to refuse: nothing that it could wait for is on its way."""
REQUEST_SECONDS = 5.0
PAUSE_SECONDS = 0.3


class OffsetsMoved:
    """All workers end, an offset is set back, and the worker that is started then must refuse to work.

    Its tables know the records that it would read again. Afterwards the offset is set right.
    """

    target = GROUP

    def __init__(self, rig: Rig, params: Params) -> None:
        self._rig = rig
        self._records = int(params[RECORDS])
        self._held: list[Child] = []
        self._right: TopicPartition | None = None
        self._said = ""
        self._status: int | None = None

    def inject(self) -> None:
        """Do it, and see what the worker does."""
        with ExitStack() as stack:
            for slot in range(self._rig.shape.workers):
                self._held.append(stack.enter_context(self._rig.taken(slot)))
            for child in self._held:
                child.held = True
                child.send(signal.SIGTERM)
            for child in self._held:
                child.has_drained(DRAIN_SECONDS)
            self._move()
            self._try(self._held[0])
            self._put_right()
            self._let_go()

    def _move(self) -> None:
        """Set back the offset of the partition of stock.commands that is furthest on."""
        partitions = range(self._rig.place.settings.partitions)
        with self._group() as group:
            found = group.committed([TopicPartition(STOCK_COMMANDS.name, n) for n in partitions], REQUEST_SECONDS)
            furthest = max(found, key=lambda place: place.offset)
            if furthest.offset < self._records:
                message = f"{STOCK_COMMANDS.name} has no partition with {self._records} records that were processed"
                raise SetupError(message)
            self._commit(group, furthest.partition, furthest.offset - self._records)
        self._right = furthest

    def _try(self, child: Child) -> None:
        """Start a worker. One that does not refuse goes to work, and is left to."""
        written = child.log.stat().st_size
        pid = child.start({VARIABLES["checkpoint_wait_seconds"]: str(CHECKPOINT_WAIT_SECONDS)})
        self._rig.wanted_refusals.add(pid)
        wait_until(lambda: not child.running or self._works(child), REFUSAL_SECONDS)
        ended = child.exit_of(pid)
        self._status = ended.status if ended else None
        with child.log.open("rb") as log:
            log.seek(written)
            self._said = log.read().decode(errors="replace")

    def _works(self, child: Child) -> bool:
        reading = self._rig.read(child)
        return reading is not None and reading.commits > 0

    def _put_right(self) -> None:
        if self._status is not None and self._right is not None:
            with self._group() as group:
                self._commit(group, self._right.partition, self._right.offset)

    def _let_go(self) -> None:
        for child in self._held:
            child.held = False

    @contextmanager
    def _group(self) -> Iterator[Consumer]:
        settings = self._rig.place.settings
        consumer = Consumer(
            {
                **settings.kafka_config,
                "bootstrap.servers": settings.kafka,
                "group.id": settings.deployment,
                "enable.auto.commit": False,
            }
        )
        try:
            yield consumer
        finally:
            consumer.close()

    @staticmethod
    def _commit(group: Consumer, partition: int, offset: int) -> None:
        """Commit an offset as nobody's member, which the broker allows in a group without members."""
        place = [TopicPartition(STOCK_COMMANDS.name, partition, offset)]
        deadline = time.monotonic() + EMPTY_SECONDS
        while True:
            try:
                done = group.commit(offsets=place, asynchronous=False)
                problem: object = next((one.error for one in done or () if one.error), None)
            except KafkaException as error:
                problem = error
            if problem is None:
                return
            if time.monotonic() > deadline:
                message = f"the group's offset cannot be set within {EMPTY_SECONDS:g} s: {problem}"
                raise SetupError(message)
            time.sleep(PAUSE_SECONDS)

    def heal(self) -> None:
        """Let the rig start the workers, if that is still to be done."""
        self._let_go()

    def proof(self) -> Proof:
        """Say whether a worker refused, and named both places."""
        if self._right is None:
            return Proof(hit=False, evidence="no offset was moved")
        right, moved = self._right.offset, self._right.offset - self._records
        named = f"at offset {right} of" in self._said and f"has committed {moved}" in self._said
        evidence = (
            f"{STOCK_COMMANDS.name}-{self._right.partition} set from {right} back to {moved}: a worker ended with "
            f"status {self._status}, and named both: {named}"
        )
        return Proof(self._status == EXIT_REFUSED and named, evidence)


def _draw(chance: Random) -> Params:
    return {RECORDS: chance.randint(1, RECORDS_MAX)}


KINDS = (Kind("offsets-moved", OffsetsMoved, _draw, GROUP, 1, needs_broker=True),)
