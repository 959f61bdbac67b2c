"""Where a key's records lie: Kafka's own partitioner for keyed records (murmur2, seed 0x9747b28c)."""

from __future__ import annotations

import struct

SEED = 0x9747B28C
M, R = 0x5BD1E995, 24
U32 = 0xFFFFFFFF
SIGN = 0x7FFFFFFF


def murmur2(key: bytes) -> int:
    """Give the 32-bit hash, as org.apache.kafka.common.utils.Utils does."""
    digest = SEED ^ len(key)
    whole = len(key) & ~3
    for (word,) in struct.iter_unpack("<I", key[:whole]):
        mixed = word * M & U32
        digest = (digest * M & U32) ^ ((mixed ^ mixed >> R) * M & U32)
    if rest := key[whole:]:
        digest = (digest ^ int.from_bytes(rest, "little")) * M & U32
    digest = (digest ^ digest >> 13) * M & U32
    return digest ^ digest >> 15


def partition_of(key: str, partitions: int) -> int:
    """Give the partition of a key."""
    return (murmur2(key.encode()) & SIGN) % partitions
