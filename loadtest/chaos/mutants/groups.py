"""Mutants of group membership and fencing: who may commit what it has read."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from loadtest.chaos.patching import swap
from pipeline.engine import clients, transaction
from pipeline.engine.engine import Engine
from pipeline.engine.membership import NO_GENERATION, Membership
from pipeline.engine.restore import Restorer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.engine.batches import Batch
    from pipeline.settings import Settings


def no_membership_check() -> None:
    """Commit without saying who read the records, and take batches that were read under a membership that is over.

    A zombie then commits what its successor has committed already (I6): its outputs come twice, and its offsets are
    put over the successor's. Shown by a pause past the session under load.
    """

    def anonymous(build: Callable[[Membership], bytes]) -> Callable[[Membership], bytes]:
        def group_metadata(membership: Membership) -> bytes:
            return build(Membership(membership.group, NO_GENERATION, ""))

        return group_metadata

    def unchecked(original: Callable[..., Any]) -> Callable[..., Any]:
        async def take(self: Engine, batch: Batch) -> None:
            await original(self, _under(self, batch))

        return take

    def unchecked_calls(original: Callable[..., Any]) -> Callable[..., Any]:
        async def settle(self: Engine, batch: Batch, emit: Callable[[], None]) -> None:
            await original(self, _under(self, batch), emit)

        return settle

    swap(transaction, "group_metadata", anonymous)
    swap(Engine, "take", unchecked)
    swap(Engine, "settle", unchecked_calls)


def _under(engine: Engine, batch: Batch) -> Batch:
    """Pass a batch off as read under the membership of this moment, where its partition is still here."""
    if engine.membership is None or (batch.topic, batch.partition) not in engine.partitions:
        return batch
    return batch._replace(membership=engine.membership)


def random_transactional_id() -> None:
    """Give each start a transactional id of its own: a successor does not end its predecessor's transaction.

    The predecessor's offsets and records stay undecided until the transaction times out, for which its successor and
    every reader wait (I13). Shown by a kill between offsets and commit.
    """

    def wrap(make: Callable[[Settings], Any]) -> Callable[[Settings], Any]:
        def transactional_producer(settings: Settings) -> Any:  # noqa: ANN401  C code
            return make(msgspec.structs.replace(settings, slot=f"{settings.slot}-{uuid.uuid4()}"))

        return transactional_producer

    swap(clients, "transactional_producer", wrap)


def zombie_commits() -> None:
    """Do not finish the transaction when partitions are revoked: what is in it is committed under the next membership.

    By then the records have been given to somebody else, or back to this worker, and come twice (I6). Shown by
    rebalances under load.
    """

    def wrap(_: Callable[..., Any]) -> Callable[..., Any]:
        async def on_revoked(self: Engine) -> None:
            self.membership = None
            self._offered = None

        return on_revoked

    swap(Engine, "on_revoked", wrap)


def keeps_tables() -> None:
    """Keep the tables of a partition over a rebalance although somebody else went on with it meanwhile.

    The worker then decides on what it knew before (I3, I8). Shown by a zombie that gets its partitions back.
    """
    engines: list[Engine] = []

    def remember(original: Callable[..., Any]) -> Callable[..., Any]:
        async def take_assignment(self: Engine) -> None:
            engines[:] = [self]
            await original(self)

        return take_assignment

    def pretend(original: Callable[..., Any]) -> Callable[..., Any]:
        def committed(self: Any, partitions: Any) -> Any:  # noqa: ANN401  the restorer's
            offsets = original(self, partitions)
            for engine in engines:
                for key, held in engine.partitions.items():
                    held.next_offset = offsets.get(key, held.next_offset)
            return offsets

        return committed

    swap(Engine, "take_assignment", remember)
    swap(Restorer, "committed", pretend)
