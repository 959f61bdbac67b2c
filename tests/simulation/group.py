"""A consumer group's coordinator: members and generations of the classic protocol with static members, and offsets.

Sources: Apache Kafka's ClassicGroup.validateOffsetCommit (transactional commits are checked for member, instance and
generation when they arrive, not when they are decided), KIP-345 (static members), KIP-447 (stable offsets).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.simulation.log import Partition

ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID = 22, 25, 82
"""The protocol's error codes."""


class Joined(NamedTuple):
    """What a member is told when a rebalance is over."""

    member: str
    generation: int
    partitions: frozenset[Partition]


@dataclass
class Member:
    """A member: `tell` is called when its join is answered, and is None while it takes part in no join."""

    instance: str
    last_seen_ms: int
    tell: Callable[[Joined], None] | None = None
    partitions: frozenset[Partition] = frozenset()


@dataclass
class Group:
    """The group. A partition's number is owned by one member in all topics: these are partitioned alike."""

    topics: tuple[str, ...]
    partition_numbers: int
    restless: bool
    """Whether partitions change their owner with each generation."""
    generation: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    instances: dict[str, str] = field(default_factory=dict)
    rebalancing_since_ms: int | None = None
    offsets: dict[Partition, int] = field(default_factory=dict)
    pending: dict[object, dict[Partition, int]] = field(default_factory=dict)
    """Offsets of transactions that are not decided, or whose marker has not arrived here."""
    _named: int = 0

    def join(self, member: str, instance: str, now_ms: int, tell: Callable[[Joined], None]) -> None:
        """Join, or join again. A static member that comes back takes its place, and fences who had it."""
        former = self.instances.get(instance)
        if member not in self.members:
            self._named += 1
            member = f"{instance}-{self._named}"
            self.members[member] = Member(instance, now_ms)
            self.instances[instance] = member
            if former is not None and former in self.members:
                self.members[member].partitions = self.members.pop(former).partitions
                if self.rebalancing_since_ms is None:
                    tell(Joined(member, self.generation, self.members[member].partitions))
                    return
        self.members[member].tell = tell
        self.members[member].last_seen_ms = now_ms
        self.rebalance(now_ms)
        self._try_to_complete(now_ms)

    def rebalance(self, now_ms: int) -> None:
        """Ask all members to join again."""
        if self.members and self.rebalancing_since_ms is None:
            self.rebalancing_since_ms = now_ms

    def leave(self, member: str, now_ms: int) -> None:
        """Remove a member: it left, or its session timed out."""
        gone = self.members.pop(member, None)
        if gone is None:
            return
        if self.instances.get(gone.instance) == member:
            del self.instances[gone.instance]
        self.rebalance(now_ms)
        self._try_to_complete(now_ms)

    def leave_instance(self, instance: str, now_ms: int) -> None:
        """Remove the member with an instance id."""
        if instance in self.instances:
            self.leave(self.instances[instance], now_ms)

    def drop_laggards(self, now_ms: int, rebalance_ms: int) -> None:
        """Go on without the members that did not join in time."""
        if self.rebalancing_since_ms is not None and now_ms - self.rebalancing_since_ms > rebalance_ms:
            for name in [name for name, member in self.members.items() if member.tell is None]:
                self.leave(name, now_ms)
            self._try_to_complete(now_ms)

    def objection(self, member: str, instance: str, generation: int) -> int:
        """Give the error code that a member of this generation gets for an offset commit, 0 for none."""
        if generation < 0 and not member and not instance:
            return 0
        if instance and self.instances.get(instance, member) != member:
            return FENCED_INSTANCE_ID
        if member not in self.members:
            return UNKNOWN_MEMBER_ID
        return 0 if generation == self.generation else ILLEGAL_GENERATION

    def heartbeat(self, member: str, instance: str, now_ms: int) -> str:
        """Give `stable`, `rebalance` or `unknown`."""
        if self.objection(member, instance, self.generation):
            return "unknown"
        self.members[member].last_seen_ms = now_ms
        return "stable" if self.rebalancing_since_ms is None else "rebalance"

    def is_unstable(self, partition: Partition) -> bool:
        """Say whether an undecided transaction may still change a partition's offset."""
        return any(partition in offsets for offsets in self.pending.values())

    def decide(self, transaction: object, *, commit: bool) -> None:
        """Take a transaction's marker."""
        offsets = self.pending.pop(transaction, {})
        if commit:
            self.offsets.update(offsets)

    def _try_to_complete(self, now_ms: int) -> None:
        if self.rebalancing_since_ms is None:
            return
        if not self.members:
            self.rebalancing_since_ms = None
            return
        if any(member.tell is None for member in self.members.values()):
            return
        self.generation += 1
        self.rebalancing_since_ms = None
        for name, partitions in self._shares().items():
            member = self.members[name]
            member.partitions, member.last_seen_ms = partitions, now_ms
            tell, member.tell = member.tell, None
            if tell is not None:
                tell(Joined(name, self.generation, partitions))

    def _shares(self) -> Mapping[str, frozenset[Partition]]:
        names = sorted(self.members, key=lambda name: self.members[name].instance)
        shift = self.generation if self.restless else 0
        shares: dict[str, set[Partition]] = {name: set() for name in names}
        for number in range(self.partition_numbers):
            owner = names[(number + shift) % len(names)]
            shares[owner] |= {(topic, number) for topic in self.topics}
        return {name: frozenset(partitions) for name, partitions in shares.items()}
