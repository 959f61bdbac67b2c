"""Pages: settled entries of a table, thousands packed into one value, as small in memory as in the changelog.

An entry that is settled is seldom asked for, and must be remembered for long. As a Python object in a dict it takes
some 500 bytes and a changelog record; in a page some 30, and a restore reads thousands of entries at once. A page never
changes: an entry that is written again shadows it from outside.

In the changelog a page is the MessagePack array [newest_ms, digests, ids, starts, blocks]; all numbers in it are
little-endian. First come the entries whose keys begin with 32 hex digits, by key, then the others, by CRC-32. `digests`
has a uint32 for each entry: the number that the first 8 of the 32 digits are, or the CRC-32. `ids` has the other 24
digits, 12 bytes for each entry that has them. The rest is in `blocks`, BLOCK_ENTRIES entries in each, `starts` (uint32)
says where each begins. A block is deflated (raw, RFC 1951): for each entry the length of its key's rest (uint8), for
each the length of its value (uint16), then all rests, then all values, in MessagePack.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

KEY_BYTES_MAX = 255
VALUE_BYTES_MAX = 65_535
PAGE_BYTES_MAX = 2 * 1024 * 1024
"""Of a page in the changelog: half of what its topic takes in one record. One entry more may go beyond it."""
BLOCK_ENTRIES = 64
"""So many are inflated to find one: more take less room and more time."""
LEVEL, WINDOW_BITS, MEMORY_LEVEL = 6, -12, 5
"""How a block is deflated: without header, with a window of 4 KiB, which a block seldom exceeds."""
HEX_CHARACTERS = 32
HEX, TEXT = b"\x00", b"\x01"
"""What a packed key begins with: 16 bytes that were 32 hex digits, or text."""
HEX_BYTES, ID_BYTES = 16, 12
FILTER_BITS_PER_ENTRY = 8
FILTER_ROOM = 1.25
"""A new filter has room for so many times the entries that there are."""
FILTER_BITS_MIN = 1 << 13
FILTER_SPREAD = 0x9E3779B1
"""Knuth's multiplier: makes a second place of a digest."""
U32 = np.dtype("<u4")


_id_digest = struct.Struct(">xI").unpack_from


def pack_key(key: str) -> bytes:
    """Give a key's bytes: ids of this system begin with 32 hex digits, which take half the room."""
    head = key[:HEX_CHARACTERS]
    try:
        raw = bytes.fromhex(head)
    except ValueError:
        return TEXT + key.encode()
    # fromhex also takes capitals and blanks.
    if raw.hex() != head or len(raw) != HEX_BYTES:
        return TEXT + key.encode()
    return HEX + raw + key[HEX_CHARACTERS:].encode() if len(key) > HEX_CHARACTERS else HEX + raw


def unpack_key(packed: bytes) -> str:
    """Give the key of packed bytes."""
    return packed[1:17].hex() + packed[17:].decode() if packed[:1] == HEX else packed[1:].decode()


def digest_of(packed: bytes) -> int:
    """Give 32 bits of a packed key. Ids are digests already."""
    return _id_digest(packed)[0] if packed[0] == 0 else zlib.crc32(packed)


class Page(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Entries that were settled by the event time `newest_ms`, each key once."""

    newest_ms: int
    digests: bytes
    ids: bytes
    starts: bytes
    blocks: bytes

    def __len__(self) -> int:
        return len(self.digests) // U32.itemsize

    @property
    def size(self) -> int:
        """Give its bytes in the changelog, but for a few."""
        return len(self.digests) + len(self.ids) + len(self.starts) + len(self.blocks)

    def find(self, packed: bytes, digest: int) -> bytes | None:
        """Give a key's value, in MessagePack."""
        digests, ids = memoryview(self.digests).cast("I"), len(self.ids) // ID_BYTES
        is_id = packed[:1] == HEX
        low, high = (0, ids) if is_id else (ids, len(digests))
        at = bisect_left(digests, digest, low, high)
        while at < high and digests[at] == digest:
            if not is_id or self.ids[at * ID_BYTES : (at + 1) * ID_BYTES] == packed[5:17]:
                rest, value = self._entry(at)
                if rest == packed[17 if is_id else 1 :]:
                    return value
            at += 1
        return None

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Give packed key and value of all entries."""
        digests, ids = memoryview(self.digests).cast("I"), len(self.ids) // ID_BYTES
        blocks = len(self.starts) // U32.itemsize
        for at, (rest, value) in enumerate(entry for block in range(blocks) for entry in self._block(block)):
            if at < ids:
                head = HEX + digests[at].to_bytes(4, "big") + self.ids[at * ID_BYTES : (at + 1) * ID_BYTES]
            else:
                head = TEXT
            yield head + rest, value

    def _entry(self, at: int) -> tuple[bytes, bytes]:
        """Give the rest of the key and the value of one entry."""
        number, place = divmod(at, BLOCK_ENTRIES)
        count, plain = self._inflate(number)
        lengths = memoryview(plain)[count : 3 * count].cast("H")
        rest = 3 * count + sum(plain[:place])
        value = 3 * count + sum(plain[:count]) + sum(lengths[:place])
        return plain[rest : rest + plain[place]], plain[value : value + lengths[place]]

    def _block(self, number: int) -> list[tuple[bytes, bytes]]:
        """Give the rest of the key and the value of each entry of a block."""
        count, plain = self._inflate(number)
        rests = list(accumulate(plain[:count], initial=3 * count))
        values = list(accumulate(struct.unpack_from(f"<{count}H", plain, count), initial=rests[-1]))
        return [(plain[rests[at] : rests[at + 1]], plain[values[at] : values[at + 1]]) for at in range(count)]

    def _inflate(self, number: int) -> tuple[int, bytes]:
        """Give how many entries are in a block, and its bytes."""
        starts = memoryview(self.starts).cast("I")
        end = starts[number + 1] if number + 1 < len(starts) else len(self.blocks)
        plain = zlib.decompress(self.blocks[starts[number] : end], WINDOW_BITS)
        return min(BLOCK_ENTRIES, len(self) - number * BLOCK_ENTRIES), plain

    def all_digests(self) -> NDArray[np.uint32]:
        """Give the digests as numbers."""
        return np.frombuffer(self.digests, U32)


encode_page = msgspec.msgpack.Encoder().encode
decode_page = msgspec.msgpack.Decoder(Page).decode


def build(entries: Iterable[tuple[bytes, bytes]], newest_ms: int) -> Iterator[Page]:
    """Make pages of (packed key, value), each key once: one page, unless it would become too large for a record."""
    some, size = list[tuple[bytes, bytes]](), 0
    for packed, value in entries:
        some.append((packed, value))
        size += len(packed) + len(value) + U32.itemsize
        if size >= PAGE_BYTES_MAX:
            yield _page(some, newest_ms)
            some, size = [], 0
    if some:
        yield _page(some, newest_ms)


def _page(entries: Iterable[tuple[bytes, bytes]], newest_ms: int) -> Page:
    rows = sorted([(packed[:1], digest_of(packed), packed, value) for packed, value in entries])
    digests = np.fromiter([row[1] for row in rows], U32, len(rows)).tobytes()
    ids = b"".join([packed[5:17] for kind, _, packed, _ in rows if kind == HEX])
    blocks = [_deflate(rows[begin : begin + BLOCK_ENTRIES]) for begin in range(0, len(rows), BLOCK_ENTRIES)]
    starts = list(accumulate(map(len, blocks[:-1]), initial=0))
    return Page(newest_ms, digests, ids, np.array(starts, U32).tobytes(), b"".join(blocks))


def _deflate(rows: Sequence[tuple[bytes, int, bytes, bytes]]) -> bytes:
    rests = [packed[17 if kind == HEX else 1 :] for kind, _, packed, _ in rows]
    values = [row[3] for row in rows]
    lengths = struct.pack(f"<{len(rows)}B{len(rows)}H", *map(len, rests), *map(len, values))
    deflating = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW_BITS, MEMORY_LEVEL)
    return deflating.compress(b"".join([lengths, *rests, *values])) + deflating.flush()


def merge(pages: Sequence[Page]) -> Page:
    """Make one page of several, oldest first. Of equal keys the newest counts."""
    newest = dict(entry for page in pages for entry in page.entries())
    return _page(newest.items(), max(page.newest_ms for page in pages))


class Filter:
    """Says of most keys that are in no page that they are in none: two bits an entry, in 8 to 10 times as many."""

    def __init__(self, bits: int = FILTER_BITS_MIN) -> None:
        """Make an empty one."""
        self.entries = 0
        self._size = bits
        self._bits = bytearray(-(-bits // 8))

    def may_have(self, digest: int) -> bool:
        """Say no only where the digest was never added. Of those, the first bit tells three of four."""
        bits, size = self._bits, self._size
        at = digest * size >> 32
        if not bits[at >> 3] >> (at & 7) & 1:
            return False
        at = (digest * FILTER_SPREAD & 0xFFFFFFFF) * size >> 32
        return bool(bits[at >> 3] >> (at & 7) & 1)

    @property
    def size(self) -> int:
        """Give its bytes."""
        return len(self._bits)

    @property
    def is_full(self) -> bool:
        """Say whether it has become too small: then it says no too seldom, never wrongly."""
        return self.entries * FILTER_BITS_PER_ENTRY > self._size

    def add(self, page: Page) -> None:
        """Add a page's keys."""
        bits = np.frombuffer(self._bits, np.uint8)
        for at in self._places(page):
            np.bitwise_or.at(bits, at >> 3, np.left_shift(1, at & 7).astype(np.uint8))
        self.entries += len(page)

    def fill(self, pages: Iterable[Page]) -> None:
        """Put these pages' keys, and no others, in: much faster than one after the other."""
        bits = np.zeros(self._size, np.bool_)
        self.entries = 0
        for page in pages:
            for at in self._places(page):
                bits[at] = True
            self.entries += len(page)
        self._bits = bytearray(np.packbits(bits, bitorder="little"))

    def _places(self, page: Page) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        digests = page.all_digests()
        return self._scaled(digests), self._scaled(digests * np.uint32(FILTER_SPREAD))

    def _scaled(self, digests: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Spread 32-bit numbers over the bits, as `may_have` does."""
        return (digests.astype(np.uint64) * np.uint64(self._size) >> np.uint64(32)).astype(np.int64)


def filter_of(pages: Iterable[Page]) -> Filter:
    """Make a filter with room for some more than what is there."""
    pages = list(pages)
    entries = sum(len(page) for page in pages)
    made = Filter(max(FILTER_BITS_MIN, int(entries * FILTER_BITS_PER_ENTRY * FILTER_ROOM)))
    made.fill(pages)
    return made
