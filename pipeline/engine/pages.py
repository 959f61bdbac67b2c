"""Pages: settled entries of a table, thousands packed into one value, as small in memory as in the changelog.

An entry that is settled is seldom asked for, and must be remembered for long. As a Python object in a dict it takes
some 300 bytes and a changelog record; in a page its key and value and 14 bytes more, and a restore reads thousands of
entries at once. A page never changes: an entry that is written again shadows it from outside.

In the changelog a page is the MessagePack array [newest_ms, hashes, starts, blob]. `hashes` are the CRC-32 of the
packed keys, ascending, `starts` where each entry begins in the blob, both little-endian uint32. An entry is: length of
the packed key (uint8), packed key, length of the value (uint16, little endian), value in MessagePack.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

KEY_BYTES_MAX = 255
VALUE_BYTES_MAX = 65_535
PAGE_BYTES_MAX = 2 * 1024 * 1024
"""Of a page in the changelog: half of what its topic takes in one record. One entry more may go beyond it."""
HEX_CHARACTERS = 32
HEX, TEXT = b"\x00", b"\x01"
"""What a packed key begins with: 16 bytes that were 32 hex digits, or text."""
FILTER_BITS_PER_ENTRY = 16
FILTER_BITS_MIN = 1 << 13
U32 = np.dtype("<u4")
_LENGTH = struct.Struct("<H")


def pack_key(key: str) -> bytes:
    """Give a key's bytes: ids of this system begin with 32 hex digits, which take half the room."""
    head = key[:HEX_CHARACTERS]
    try:
        raw = bytes.fromhex(head)
    except ValueError:
        return TEXT + key.encode()
    # fromhex also takes capitals and blanks.
    return HEX + raw + key[HEX_CHARACTERS:].encode() if raw.hex() == head and len(raw) == 16 else TEXT + key.encode()  # noqa: PLR2004


def unpack_key(packed: bytes) -> str:
    """Give the key of packed bytes."""
    return packed[1:17].hex() + packed[17:].decode() if packed[:1] == HEX else packed[1:].decode()


class Page(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Entries that were settled by the event time `newest_ms`."""

    newest_ms: int
    hashes: bytes
    starts: bytes
    blob: bytes

    def __len__(self) -> int:
        return len(self.hashes) // U32.itemsize

    @property
    def size(self) -> int:
        """Give its bytes in the changelog, but for a few."""
        return len(self.hashes) + len(self.starts) + len(self.blob)

    def find(self, packed: bytes, digest: int) -> bytes | None:
        """Give a key's value, in MessagePack; of several the newest."""
        hashes, blob = memoryview(self.hashes).cast("I"), self.blob
        starts = memoryview(self.starts).cast("I")
        at, found = bisect_left(hashes, digest), None
        while at < len(hashes) and hashes[at] == digest:
            start = starts[at] + 1
            end = start + blob[start - 1]
            if blob[start:end] == packed:
                found = _value(blob, end)
            at += 1
        return found

    def entries(self) -> Iterator[tuple[str, bytes]]:
        """Give all entries, oldest first."""
        for begin in sorted(memoryview(self.starts).cast("I")):
            end = begin + 1 + self.blob[begin]
            yield unpack_key(self.blob[begin + 1 : end]), _value(self.blob, end)

    def digests(self) -> NDArray[np.uint32]:
        """Give the hashes as numbers."""
        return np.frombuffer(self.hashes, U32)


def _value(blob: bytes, at: int) -> bytes:
    (size,) = _LENGTH.unpack_from(blob, at)
    return blob[at + 2 : at + 2 + size]


encode_page = msgspec.msgpack.Encoder().encode
decode_page = msgspec.msgpack.Decoder(Page).decode


def build(entries: Iterable[tuple[bytes, bytes]], newest_ms: int) -> Iterator[Page]:
    """Make pages of (packed key, value): one, unless it became too large for a record."""
    blob, rows = bytearray(), list[tuple[int, int]]()
    for packed, value in entries:
        rows.append((crc32(packed), len(blob)))
        blob += bytes((len(packed),)) + packed + _LENGTH.pack(len(value)) + value
        if len(blob) + 2 * U32.itemsize * len(rows) >= PAGE_BYTES_MAX:
            yield _page(rows, blob, newest_ms)
            blob, rows = bytearray(), []
    if rows:
        yield _page(rows, blob, newest_ms)


def _page(rows: list[tuple[int, int]], blob: bytearray, newest_ms: int) -> Page:
    rows.sort()
    columns = np.array(rows, U32).reshape(-1, 2)
    return Page(newest_ms, columns[:, 0].tobytes(), columns[:, 1].tobytes(), bytes(blob))


def merge(pages: Sequence[Page]) -> Page:
    """Make one page of several, oldest first. Of equal keys the newest is found first, since the sort is stable."""
    shifts = np.cumsum([0, *(len(page.blob) for page in pages[:-1])])
    hashes = np.concatenate([page.digests() for page in pages])
    starts = np.concatenate(
        [np.frombuffer(page.starts, U32) + np.uint32(shift) for page, shift in zip(pages, shifts, strict=True)]
    )
    order = np.argsort(hashes, kind="stable")
    newest_ms = max(page.newest_ms for page in pages)
    blob = b"".join([page.blob for page in pages])
    return Page(newest_ms, hashes[order].tobytes(), starts[order].astype(U32).tobytes(), blob)


class Filter:
    """Says of most keys that are in no page that they are in none: one bit an entry, in 16 times as many."""

    def __init__(self) -> None:
        self.entries = 0
        self._bits = bytearray(FILTER_BITS_MIN // 8)
        self._mask = FILTER_BITS_MIN - 1

    def may_have(self, digest: int) -> bool:
        """Say no only where the digest was never added."""
        at = digest & self._mask
        return bool(self._bits[at >> 3] >> (at & 7) & 1)

    @property
    def is_full(self) -> bool:
        """Say whether it has become too small: then it says no too seldom, never wrongly."""
        return self.entries * FILTER_BITS_PER_ENTRY > self._mask + 1

    def add(self, page: Page) -> None:
        """Add a page's keys."""
        at = page.digests() & np.uint32(self._mask)
        bits = np.frombuffer(self._bits, np.uint8)
        np.bitwise_or.at(bits, at >> 3, np.left_shift(1, at & 7).astype(np.uint8))
        self.entries += len(page)


def filter_of(pages: Iterable[Page]) -> Filter:
    """Make a filter with room for twice what is there."""
    pages = list(pages)
    made = Filter()
    bits = FILTER_BITS_MIN
    while bits < 2 * FILTER_BITS_PER_ENTRY * sum(len(page) for page in pages):
        bits *= 2
    made._bits, made._mask = bytearray(bits // 8), bits - 1  # noqa: SLF001  its own maker
    for page in pages:
        made.add(page)
    return made
