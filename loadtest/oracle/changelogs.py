"""Read the changelogs: what a worker that is started now would find in its tables.

A record's key is `table:key`, its value the entry in MessagePack, nil where the entry is gone though a page still has
it, or nothing where the entry is gone or has moved to a page. `!checkpoint` says how far the tables have come.
`!page:table:number` is a page of entries: the MessagePack array [newest_ms, hashes, starts, blob]. `starts`, in
little-endian uint32 and in any order, says where each entry begins in the blob:

    length of the packed key (1 byte), packed key, length of the value (2 bytes, little-endian), value in MessagePack

A packed key is 0, the 16 bytes of 32 hex digits, and the rest of the key; or 1 and the key. Of two pages with one key
the one with the higher number counts, and in a page the entry that lies further behind; what is outside pages counts
before them.
"""

from __future__ import annotations

import struct
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
HEX_BYTES = 16


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
        except (msgspec.MsgspecError, struct.error, IndexError, ValueError, TypeError) as error:
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
    """Give key and value of each entry of a page, in the order of the blob."""
    _, _, starts, blob = msgspec.msgpack.decode(page, type=tuple[int, bytes, bytes, bytes])
    for (start,) in sorted(struct.iter_unpack("<I", starts)):
        end = start + 1 + blob[start]
        (size,) = struct.unpack_from("<H", blob, end)
        if end + 2 + size > len(blob):
            message = f"the entry at {start} is longer than the page"
            raise ValueError(message)
        yield _unpacked(blob[start + 1 : end]), blob[end + 2 : end + 2 + size]


def _unpacked(key: bytes) -> str:
    if key[0] == 0:
        return key[1 : 1 + HEX_BYTES].hex() + key[1 + HEX_BYTES :].decode()
    return key[1:].decode()
