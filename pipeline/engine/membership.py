"""A worker's place in its consumer group, and how a librdkafka transaction is told of it (KIP-447).

librdkafka takes the group's metadata as bytes that its own consumer writes. The group here is joined by Faust's
consumer, so the bytes are built: `CGMDv2:`, the generation (int32, little endian), group id, member id, and the static
instance id or a mark that there is none. `check_layout` compares that with what this librdkafka writes, before the
first record.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import confluent_kafka

from pipeline.errors import RefusedStartError

if TYPE_CHECKING:
    from pipeline.engine.restore import Partition

MAGIC = b"CGMDv2:"
NO_GENERATION = -1


class Membership(NamedTuple):
    """Who read a record: a transaction carries the membership under which its records were read, never a later one."""

    group: str
    generation: int
    member: str
    instance: str = ""


class Assignment(NamedTuple):
    """What the group gave to this worker, and under which membership."""

    membership: Membership
    partitions: frozenset[Partition]


def group_metadata(membership: Membership) -> bytes:
    """Build the bytes that `send_offsets_to_transaction` takes."""
    instance = b"\x00" + membership.instance.encode() + b"\x00" if membership.instance else b"\x01"
    generation = struct.pack("<i", membership.generation)
    return MAGIC + generation + membership.group.encode() + b"\x00" + membership.member.encode() + b"\x00" + instance


def check_layout() -> None:
    """Refuse to start on a librdkafka that writes the metadata in another layout."""
    for instance in ("", "instance"):
        config: dict[str, str | int] = {"bootstrap.servers": "127.0.0.1:9", "group.id": "group", "log_level": 0}
        if instance:
            config["group.instance.id"] = instance
        consumer = confluent_kafka.Consumer(config)
        theirs = consumer.consumer_group_metadata()
        consumer.close()
        if theirs != group_metadata(Membership("group", NO_GENERATION, "", instance)):
            version, _ = confluent_kafka.libversion()
            message = (
                f"librdkafka {version} writes group metadata in a layout that this engine does not know ({theirs!r}): "
                "install the confluent-kafka version of pipeline/requirements.txt"
            )
            raise RefusedStartError(message)
