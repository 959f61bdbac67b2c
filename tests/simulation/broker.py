"""SimKafka: logs, a group, and transactions whose markers arrive one by one, some time after the decision.

Sources: KIP-98 (transactions), KIP-360 and KIP-447 (fencing by epoch and by group membership), Apache Kafka's
TransactionCoordinator. An answer to EndTxn means that the decision is on record; the markers follow on their own.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tests.simulation.log import Headers, Log, Part, Partition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.engine.membership import Membership
    from tests.simulation.group import Group

FENCED, CONCURRENT, INVALID_STATE = 90, 51, 48
"""PRODUCER_FENCED, CONCURRENT_TRANSACTIONS (the client tries again), INVALID_TXN_STATE."""


class ProtocolError(Exception):
    """An error answer, with its code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"error {code}")
        self.code = code


class Draft(NamedTuple):
    """A record that a producer wants to append. `partition` is below 0 where the key decides."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int = -1


@dataclass(eq=False)
class Transaction:
    """One transaction of a transactional id."""

    began_ms: int
    parts: dict[Partition, Part] = field(default_factory=dict)
    offsets: dict[Partition, int] = field(default_factory=dict)
    commit: bool | None = None
    """The decision, once it is on record."""
    markers: int = 0
    """Markers that have not arrived."""


@dataclass
class Identity:
    """What the coordinator knows of a transactional id."""

    epoch: int = -1
    current: Transaction | None = None


class Broker:
    """One broker. `later` takes what happens after a while of its own; `decided` hears of each commit at once."""

    def __init__(
        self,
        group: Group,
        clock: Callable[[], int],
        later: Callable[[Callable[[], None]], None],
        decided: Callable[[Transaction], None],
    ) -> None:
        self.group = group
        self.logs: dict[Partition, Log] = {}
        self.identities: dict[str, Identity] = {}
        self.waiting: list[Callable[[], None]] = []
        """Fetches that wait for something new to read."""
        self._clock = clock
        self._later = later
        self._decided = decided

    def log(self, topic: str, number: int) -> Log:
        """Give a partition."""
        return self.logs.setdefault((topic, number), Log((topic, number)))

    # --- producers ---

    def append(self, draft: Draft) -> None:
        """Append a record outside any transaction."""
        self._log_of(draft).append(draft.key, draft.value, draft.headers, None, self._clock())
        self._wake()

    def init_producer(self, name: str) -> int:
        """Give a transactional id's new epoch: from here on the older ones are fenced.

        Raises ProtocolError(CONCURRENT) while its last transaction is not wholly decided; an open one is aborted.
        """
        identity = self.identities.setdefault(name, Identity())
        if identity.current is not None:
            if identity.current.commit is None:
                identity.epoch += 1
                self._decide(identity, commit=False)
            raise ProtocolError(CONCURRENT)
        identity.epoch += 1
        return identity.epoch

    def append_in_transaction(self, name: str, epoch: int, drafts: list[Draft], added: set[Partition]) -> None:
        """Append records in the open transaction, which begins with the first of them.

        A client adds a partition once a transaction: one that it has `added` and that is not in the open transaction
        means that broker and client do not agree on which that is. Raises ProtocolError(INVALID_STATE) then.
        """
        transaction = self._open(name, epoch)
        logs = [self._log_of(draft) for draft in drafts]
        if any(log.partition in added and log.partition not in transaction.parts for log in logs):
            raise ProtocolError(INVALID_STATE)
        added.update(log.partition for log in logs)
        for log, draft in zip(logs, drafts, strict=True):
            part = transaction.parts.get(log.partition)
            if part is None:
                part = transaction.parts[log.partition] = log.open_part()
            log.append(draft.key, draft.value, draft.headers, part, self._clock())
        self._wake()

    def send_offsets(self, name: str, epoch: int, offsets: Mapping[Partition, int], membership: Membership) -> None:
        """Put offsets into the open transaction, unless the group knows better than this membership."""
        transaction = self._open(name, epoch)
        objection = self.group.objection(membership.member, membership.instance, membership.generation)
        if objection:
            raise ProtocolError(objection)
        transaction.offsets.update(offsets)
        self.group.pending[transaction] = transaction.offsets

    def end(self, name: str, epoch: int, *, commit: bool) -> None:
        """Decide the open transaction. Its markers follow."""
        identity = self._checked(name, epoch)
        if identity.current is None:
            return
        if identity.current.commit is None:
            self._decide(identity, commit=commit)
        elif identity.current.commit is not commit:
            raise ProtocolError(INVALID_STATE)

    def abort_older(self, timeout_ms: int) -> None:
        """Abort the transactions that are open for too long, and fence who opened them."""
        for identity in self.identities.values():
            current = identity.current
            if current is not None and current.commit is None and self._clock() - current.began_ms > timeout_ms:
                identity.epoch += 1
                self._decide(identity, commit=False)

    @property
    def is_at_rest(self) -> bool:
        """Say whether no transaction is open or waits for a marker."""
        return all(identity.current is None for identity in self.identities.values())

    def _checked(self, name: str, epoch: int) -> Identity:
        identity = self.identities[name]
        if identity.epoch != epoch:
            raise ProtocolError(FENCED)
        return identity

    def _open(self, name: str, epoch: int) -> Transaction:
        identity = self._checked(name, epoch)
        if identity.current is None:
            identity.current = Transaction(self._clock())
        elif identity.current.commit is not None:
            raise ProtocolError(CONCURRENT)
        return identity.current

    def _decide(self, identity: Identity, *, commit: bool) -> None:
        transaction = identity.current
        assert transaction is not None
        transaction.commit = commit
        transaction.markers = len(transaction.parts) + 1
        if commit:
            self._decided(transaction)

        def arrive(deliver: Callable[[], None]) -> Callable[[], None]:
            def marker() -> None:
                deliver()
                transaction.markers -= 1
                if not transaction.markers:
                    identity.current = None

            return marker

        for partition, part in transaction.parts.items():
            self._later(arrive(partial(self._mark, self.logs[partition], part, commit=commit)))
        self._later(arrive(lambda: self.group.decide(transaction, commit=commit)))

    def _mark(self, log: Log, part: Part, *, commit: bool) -> None:
        log.decide(part, commit=commit, timestamp=self._clock())
        self._wake()

    def _wake(self) -> None:
        waiting, self.waiting = self.waiting, []
        for wake in waiting:
            wake()

    def _log_of(self, draft: Draft) -> Log:
        number = draft.partition
        if number < 0:
            number = zlib.crc32(draft.key or b"") % self.group.partition_numbers
        return self.log(draft.topic, number)
