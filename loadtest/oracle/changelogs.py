"""Read the changelogs: what a worker that is started now would find in its tables.

A record's key is `table:key`, its value the entry in MessagePack, nil where the entry is gone though a page still has
it, or nothing where the entry is gone or has moved to a page. `!checkpoint` says how far the tables have come.
`!page:table:number` is a page of entries: the MessagePack array [newest_ms, digests, ids, starts, blocks], numbers in
it little-endian. Of keys that begin with 32 hex digits, which come first, `digests` (uint32 each) has the first 8 of
them as a number, and `ids` (12 bytes each) the other 24; of the others `digests` has a CRC-32. The rest lies in
`blocks`, each of them raw deflate, with 64 entries in all but the last, beginning where `starts` (uint32) says:

    each one's length of the key's rest (1 byte), each one's length of the value (2 bytes), all rests, all values

Of two pages with one key the one with the higher number counts; what is outside pages counts before them.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import msgspec

from loadtest.oracle.log import Broker, read_topic
from loadtest.oracle.model.folding import MODELS
from loadtest.oracle.privacy import CLEAN_CHANGELOGS, Lookout
from loadtest.oracle.traces import Changelog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NIL = b"\xc0"
CHECKPOINT = b"!checkpoint"
PAGE = b"!page:"
REST_BYTES, BLOCK_ENTRIES = 12, 64


def read_changelogs(broker: Broker, lookout: Lookout) -> dict[tuple[str, int], Changelog]:
    """Read the changelogs of all stages that have tables."""
    found: dict[tuple[str, int], Changelog] = {}
    for model in MODELS:
        last: dict[int, dict[bytes, bytes]] = {}
        topic = f"{model.name}.changelog"
        for record in read_topic(broker, topic):
            key, value = record.key() or b"", record.value()
            kept = last.setdefault(record.partition() or 0, {})
            if value is None:
                kept.pop(key, None)
            else:
                kept[key] = value
            if model.name in CLEAN_CHANGELOGS:
                lookout.look(topic, value or b"")
        found |= {(model.name, partition): changelog(kept) for partition, kept in last.items()}
    return found


def changelog(last: Mapping[bytes, bytes]) -> Changelog:
    """Make sense of the last record of each key."""
    paged: dict[str, bytes] = {}
    plain: dict[str, bytes] = {}
    odd = []
    for _, table, key in sorted(_pages(last)):
        try:
            paged |= {f"{table}:{entry}": value for entry, value in page_entries(last[key])}
        except (msgspec.MsgspecError, struct.error, zlib.error, IndexError, ValueError, TypeError) as error:
            odd.append(f"{key!r}: not a page: {error}")
    for key, value in last.items():
        if key[:1] != b"!":
            plain[key.decode(errors="backslashreplace")] = value
        elif key != CHECKPOINT and not key.startswith(PAGE):
            odd.append(f"{key!r}: nobody knows such a key")
    entries = {key: value for key, value in (paged | plain).items() if value != NIL}
    checkpoint = _checkpoint(last, odd)
    return Changelog(entries, checkpoint.get("next_offset", -1), checkpoint.get("forgotten_ms", {}), tuple(odd))


def _pages(last: Mapping[bytes, bytes]) -> Iterator[tuple[int, str, bytes]]:
    """Give number, table and key of each page."""
    for key in last:
        if key.startswith(PAGE):
            table, _, number = key.removeprefix(PAGE).decode().rpartition(":")
            yield int(number), table, key


def _checkpoint(last: Mapping[bytes, bytes], odd: list[str]) -> dict[str, Any]:
    try:
        found = msgspec.msgpack.decode(last[CHECKPOINT], type=dict[str, Any])
    except KeyError:
        odd.append("there is no checkpoint")
    except msgspec.MsgspecError as error:
        odd.append(f"the checkpoint cannot be read: {error}")
    else:
        return found
    return {}


def page_entries(page: bytes) -> Iterator[tuple[str, bytes]]:
    """Give key and value of each entry of a page, in the page's order."""
    _, digests, ids, starts, blocks = msgspec.msgpack.decode(page, type=tuple[int, bytes, bytes, bytes, bytes])
    numbers = [number for (number,) in struct.iter_unpack("<I", digests)]
    heads = [
        number.to_bytes(4, "big").hex() + ids[at * REST_BYTES : (at + 1) * REST_BYTES].hex()
        for at, number in enumerate(numbers[: len(ids) // REST_BYTES])
    ]
    heads += [""] * (len(numbers) - len(heads))
    begins = [begin for (begin,) in struct.iter_unpack("<I", starts)]
    rests: list[tuple[str, bytes]] = []
    for block, (begin, end) in enumerate(zip(begins, [*begins[1:], len(blocks)], strict=True)):
        count = min(BLOCK_ENTRIES, len(numbers) - block * BLOCK_ENTRIES)
        rests += _inflated(blocks[begin:end], count)
    for head, (rest, value) in zip(heads, rests, strict=True):
        yield head + rest, value


def _inflated(block: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    """Give the rest of the key and the value of each entry of a block."""
    plain = zlib.decompress(block, -zlib.MAX_WBITS)
    keys, values = plain[:count], struct.unpack_from(f"<{count}H", plain, count)
    at, behind = 3 * count, 3 * count + sum(keys)
    if behind + sum(values) != len(plain):
        message = f"a block has {len(plain)} bytes, its {count} entries {behind + sum(values)}"
        raise ValueError(message)
    for key, value in zip(keys, values, strict=True):
        yield plain[at : at + key].decode(), plain[behind : behind + value]
        at, behind = at + key, behind + value
