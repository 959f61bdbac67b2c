"""Records → a batch of orders' places, and the script that puts it into Redis."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sinks.places import entry, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sinks.log import LogRecord

PUT = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
local entries, offsets = unpack(cmsgpack.unpack(ARGV[2]))
local seconds, many = ARGV[3], tonumber(ARGV[4])
local long, call, pcall = {}, redis.call, redis.pcall
for i = 1, #offsets, 3 do
    if tonumber(call('HGET', KEYS[2], offsets[i]) or '-1') ~= offsets[i + 1] then return false end
end
for i = 1, #entries, 2 do
    local key = entries[i]
    local length = pcall('RPUSH', key, entries[i + 1])
    if type(length) ~= 'number' then
        for j = 1, i - 2, 2 do call('RPOP', entries[j]) end
        return length
    end
    call('EXPIRE', key, seconds)
    if length >= many then long[#long + 1] = key end
end
for i = 1, #offsets, 3 do call('HSET', KEYS[2], offsets[i], offsets[i + 2]) end
return long
"""
"""Puts a batch, whole or not at all; gives the keys of places with many entries, or nil if Redis stands elsewhere.

KEYS: the generation, the offsets. ARGV: the generation's name, the batch as `packed` gives it, the seconds that a place
is kept, how many entries are many.
"""


class Batch(NamedTuple):
    """What some records add: to orders' places, and the last offset of each partition."""

    entries: dict[str, bytes]
    offsets: dict[int, int]
    events: int


def gather(records: list[LogRecord]) -> Batch:
    """Make a batch of records, each partition's in the order of its offsets."""
    entries: dict[str, bytes] = {}
    offsets: dict[int, int] = {}
    events = 0
    for partition, offset, _, value in records:
        offsets[partition] = offset
        facts = read(value)
        if facts is None:
            continue
        events += 1
        order_id = facts.order_id
        if order_id:
            told = entry(facts, partition, offset)
            entries[order_id] = b"%b\n%b" % (entries[order_id], told) if order_id in entries else told
    return Batch(entries, offsets, events)


def packed(batch: Batch, stands: Mapping[int, int], place: str) -> bytes:
    """Give a batch as PUT wants it, in MessagePack, which one call packs and one unpacks.

    [[a place's key, text, …], [partition, the last offset that is in, the batch's last offset, …]]; a key begins with
    `place`, and `stands` says what is in. The server joins texts at a higher price than this.
    """
    # As texts: the server's MessagePack knows no bytes.
    entries = [(place + order_id, text.decode()) for order_id, text in batch.entries.items()]
    offsets = [(each, stands.get(each, -1), last) for each, last in batch.offsets.items()]
    return msgspec.msgpack.encode(([*chain.from_iterable(entries)], [*chain.from_iterable(offsets)]))
